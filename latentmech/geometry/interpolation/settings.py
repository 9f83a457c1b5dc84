"""Settings of an interpolation study."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Idle, OneOf, Positive, check
from latentmech.model import Layers

PAIRS = (
    ("The capital of France is", "The capital of Sweden is"),
    ("The opposite of hot is", "The opposite of big is"),
    ("My mother is a doctor, and", "My father is a doctor, and"),
    ("She closed the door of the kitchen", "She closed the door of the library"),
    ("The colour of fresh snow is", "The colour of fresh moss is"),
    ("After the race the man felt happy", "After the race the man felt tired"),
)


@dataclass(frozen=True, kw_only=True)
class InterpolationSettings:
    """Straight and spherical paths between the states of two prompts, patched back into the model at every level.

    Attributes:
        start: where the path begins: a prompt. With `end` it replaces `pairs`.
        end: where it ends: a prompt of as many tokens.
        pairs: several of both.
        layers: `all`, or block numbers; the embedding is always there.
        tokens: `differing` patches every token from the first in which two prompts differ, so that both ends are the
            clean runs, bit for bit; `last` patches the last token only, in the context of the start.
        steps: points on a path, both ends included.
        random: paths of the same length in random directions, each with a seed of its own.
        seed: the first of these.
    """

    builds: ClassVar[str] = "latentmech.geometry.interpolation.study.InterpolationStudy"
    inside: ClassVar[str] = "patches states of one text into another"  # which takes hook points

    start: str | None = None
    end: str | None = None
    pairs: Annotated[Sequence[Sequence[str]], Idle(lambda own: own.start is not None, "start and end are set")] = PAIRS
    layers: Layers = "all"
    tokens: Annotated[str, OneOf("differing", "last")] = "differing"
    steps: Annotated[int, AtLeast(3)] = 9
    random: Positive = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        if (self.start is None) != (self.end is None):
            raise BadInput("geometry.start and geometry.end belong together; set both, or neither for bundled pairs")
        fit = [isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2 for one in self.pairs or ()]
        if isinstance(self.pairs, str) or not fit or not all(fit):
            raise BadInput(f"geometry.pairs={self.pairs}; expected a list of pairs, such as [[hot day,big day]]")

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The pairs of prompts."""
        if self.start is not None and self.end is not None:
            return [(self.start, self.end)]
        return [(start, end) for start, end in self.pairs]
