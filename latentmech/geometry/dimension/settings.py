"""Settings of a dimension study."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import Corpus
from latentmech.errors import BadInput
from latentmech.fields import Control, Positive, check
from latentmech.model import Layers, Position, Site


@dataclass(frozen=True, kw_only=True)
class DimensionSettings:
    """Participation ratio, TwoNN and MLE at every level, with the rows that tell what they are worth.

    Attributes:
        data: the corpus; its words are read, or its texts if words are not annotated. Labels are not needed.
        site: hook point in every block, such as `resid_post`.
        layers: `all`, or block numbers; the embedding is always there.
        position: `last`, `first` or `mean` of a word's sub-words.
        points: how many words each seed draws, at most.
        repeats: let a word form be drawn more than once.
        shares: parts of them to estimate from, for the dependence on sample size; 1 is always among them.
        scales: numbers of neighbours k for the MLE.
        random_init: measure the same architecture with fresh weights too.
        shuffle_words: measure the same texts with their words in random order too.
        seeds: draws of words.
        seed: the first of them; also of the twin's weights and the shuffles.
    """

    builds: ClassVar[str] = "latentmech.geometry.dimension.study.DimensionStudy"

    data: Corpus = field(default_factory=Corpus)
    site: Site = "resid_post"
    layers: Layers = "all"
    position: Position = "last"
    points: int = 2000
    repeats: bool = False
    shares: Sequence[float] = (0.125, 0.25, 0.5, 1.0)
    scales: Sequence[int] = (5, 10, 20)
    random_init: Annotated[bool, Control("random-init twin")] = True
    shuffle_words: Annotated[bool, Control("words shuffled")] = True
    seeds: Positive = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        if not self.scales or min(self.scales) < 2:
            raise BadInput(f"geometry.scales={list(self.scales)}; expected numbers of neighbours from 2 up")
        if not all(0 < share <= 1 for share in self.shares) or 1 not in self.shares:
            raise BadInput(f"geometry.shares={list(self.shares)}; expected parts above 0 up to 1, with 1 among them")
        if self.points <= 2 * max(self.scales):
            least = 2 * max(self.scales) + 1
            raise BadInput(f"geometry.points={self.points} is too small for these scales; expected at least {least}")
