"""Settings of a neighbours study."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import Corpus
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Control, Positive, check
from latentmech.geometry.settings import Similarity, check_template
from latentmech.model import Layers, Position, Site

MARKED = re.compile(r"^([^\[\]]*)\[([^\[\]]+)\]([^\[\]]*)$", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class NeighboursSettings:
    """Nearest neighbours at every level, with the anisotropy and the hubness of the cloud that they lie in.

    Attributes:
        words: words whose neighbours are looked for among them and bundled words, each in the template.
        contexts: texts with one word in brackets; its neighbours are looked for among the words of the data.
        texts: texts whose neighbours are looked for among the texts of the data.
        data: the corpus.
        common: how many bundled words, those of the word pairs before the common ones; None takes all.
        template: what the model reads of a word without a context; {} is the word.
        similarity: whose neighbours are shown: `cosine`, `centred_cosine`, `euclidean` or `causal`.
        site: hook point in every block.
        layers: `all`, or block numbers.
        pooling: `mean`, `last` or `first` of a text's tokens.
        k: neighbours.
        sample: rows of a cloud, at most, on which anisotropy and hubness are measured.
        random_init: measure the same architecture with fresh weights too.
        seed: of samples, the Gaussian clouds and the twin's weights.
    """

    builds: ClassVar[str] = "latentmech.geometry.neighbours.study.NeighboursStudy"

    words: Sequence[str] = ("king", "Paris", "walked", "better")
    contexts: Sequence[str] = (
        "They had a picnic on the [bank] of the river.",
        "She took the money to the [bank] on Monday.",
    )
    texts: Sequence[str] = ("The soup was cold and the waiter was rude.",)
    data: Corpus = field(default_factory=lambda: Corpus(limit=4000))
    common: Annotated[int | None, AtLeast(0)] = None
    template: str = "The word is {}"
    similarity: Similarity = "cosine"
    site: Site = "resid_post"
    layers: Layers = "all"
    pooling: Position = "mean"
    k: Positive = 10
    sample: Annotated[int, AtLeast(100)] = 1000
    random_init: Annotated[bool, Control("random-init twin")] = True
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        check_template("geometry.template", self.template)
        for name in ("words", "contexts", "texts"):
            if isinstance(getattr(self, name), str):
                raise BadInput(f"geometry.{name}={getattr(self, name)!r}; expected a list, such as [{name[:-1]}, …]")
        if not (self.words or self.contexts or self.texts):
            raise BadInput("geometry.words, contexts and texts are all empty; name something to find neighbours of")
        if strange := [text for text in self.contexts if not MARKED.match(text)]:
            seen = f"geometry.contexts={strange[0]!r}"
            raise BadInput(f"{seen}; expected one word in brackets: 'on the [bank] of the river'")
