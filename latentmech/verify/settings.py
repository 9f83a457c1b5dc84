"""Settings of a verification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from latentmech.errors import BadInput
from latentmech.fields import AtLeast, check

TEXTS = (
    "The capital of France is Paris, and the capital of Sweden is Stockholm.",
    "No, thanks.",
    "She put 12 apples and 30 pears into a basket; how many is that?",
    "naïve café, 東京",
    "Every morning the old man walked down to the harbour to see whether the boats had come back. Some of them never "
    "did, and nobody in the village spoke of those.",
)


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """Every check of a loaded model against plain transformers, which runs one text at a time in eager attention.

    Attributes:
        texts: what is run; of different lengths, or padding is not tried.
        n_tokens: how far each text is continued.
    """

    builds: ClassVar[str] = "latentmech.verify.study.VerifyStudy"

    texts: Sequence[str] = TEXTS
    n_tokens: Annotated[int, AtLeast(2)] = 8

    def __post_init__(self) -> None:
        check(self, "verify")
        if len(set(map(len, self.texts))) < 2:
            raise BadInput("verify.texts has texts of one length only; give several of different lengths")
