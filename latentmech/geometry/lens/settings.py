"""Settings of a lens study."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import Corpus
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Control, Draws, check
from latentmech.model import Layers

TEXT = "The capital of France is Paris, and the capital of Sweden is Stockholm."


@dataclass(frozen=True, kw_only=True)
class LensSettings:
    """The logit lens at every level and position, with a unigram model, shuffled targets and random weights beside it.

    Attributes:
        text: what the picture is drawn of.
        data: texts over which numbers are averaged (their test split); train and dev make the unigrams.
        tokens: about so many tokens of them.
        layers: `all`, or block numbers; the embedding and the last block are always there.
        random_init: read the random-init twin too.
        draws: bootstrap resamples of documents.
        seed: of the choice of texts, of shuffles and of the twin's weights.
    """

    builds: ClassVar[str] = "latentmech.geometry.lens.study.LensStudy"

    text: str = TEXT
    data: Corpus = field(default_factory=Corpus)
    tokens: Annotated[int, AtLeast(50)] = 1000
    layers: Layers = "all"
    random_init: Annotated[bool, Control("random-init twin")] = True
    draws: Draws = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        if not self.text.strip():
            raise BadInput("geometry.text is empty; give a sentence to draw")
