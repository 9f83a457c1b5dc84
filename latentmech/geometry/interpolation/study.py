"""`InterpolationStudy`: what a model would say on the way from one context's state to another's."""

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.geometry.interpolation.numbers import Pair
from latentmech.geometry.interpolation.presentation import present
from latentmech.geometry.interpolation.walk import ends_of, walk
from latentmech.model import Model, levels_of
from latentmech.report import Report

PAIRS = (
    ("The capital of France is", "The capital of Sweden is"),
    ("The opposite of hot is", "The opposite of big is"),
    ("My mother is a doctor, and", "My father is a doctor, and"),
    ("She closed the door of the kitchen", "She closed the door of the library"),
    ("The colour of fresh snow is", "The colour of fresh moss is"),
    ("After the race the man felt happy", "After the race the man felt tired"),
)
TOKENS = ("differing", "last")


@dataclass(frozen=True, kw_only=True)
class InterpolationStudy:
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

    start: str | None = None
    end: str | None = None
    pairs: Sequence[Sequence[str]] = PAIRS
    layers: Sequence[int] | str = "all"
    tokens: str = "differing"
    steps: int = 9
    random: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise BadInput(
                "geometry.start and geometry.end belong together; set both, or neither for the bundled pairs"
            )
        if self.tokens not in TOKENS:
            raise BadInput(f"geometry.tokens={self.tokens} is unknown; expected one of {', '.join(TOKENS)}")
        for name, least in (("steps", 3), ("random", 1)):
            if getattr(self, name) < least:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {least}")
        if isinstance(self.pairs, str) or not self.pairs or any(map(_is_no_pair, self.pairs)):
            raise BadInput(f"geometry.pairs={self.pairs}; expected a list of pairs, such as [[hot day,big day]]")

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The pairs of prompts."""
        if self.start is not None and self.end is not None:
            return [(self.start, self.end)]
        return [(start, end) for start, end in self.pairs]

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Walk every pair at every level, and report; nothing is taken from `store`."""
        del store
        levels = levels_of(model.n_layers, "resid_post", self.layers)
        seeds = range(self.seed, self.seed + self.random)
        found = []
        with tqdm(total=len(levels) * len(self.asked), unit="path", desc=f"{model.name}: paths", mininterval=1) as bar:
            for start, end in self.asked:
                ends = ends_of(model, levels, start, end, self.tokens)
                walks = []
                for level in levels:
                    walks += walk(model, level, ends, self.steps, seeds)
                    bar.update()
                found.append(Pair(start, end, ends, walks))
        return present(self, model, levels, found)


def _is_no_pair(pair: object) -> bool:
    return isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2
