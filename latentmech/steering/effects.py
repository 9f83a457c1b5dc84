"""How far a dose moves prompts: from end to end, per unit of strength, and at a KL that others reach too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latentmech.steering.sweep import Response

Prompts = Float[np.ndarray, " prompt"]


@dataclass(frozen=True)
class Span:
    """An end of a dose, what it is compared with, and which way it should go.

    Attributes:
        at: the strength.
        base: the strength that it is compared with; None for the untouched model.
        sense: 1 if the log-odds should be higher at `at`, -1 if lower.
    """

    at: float
    base: float | None
    sense: int

    @property
    def name(self) -> str:
        """As sentences have it."""
        return f"at {self.at:+g}" if self.base is None else f"from {self.base:+g} to {self.at:+g}"

    def moved(self, found: Response) -> Float[np.ndarray, "direction prompt"]:
        """How far each direction moves each prompt in the right sense, in nats."""
        return self.sense * (found.at(self.at) - (0.0 if self.base is None else found.at(self.base)))


def spans(strengths: Sequence[float], neutral: float | None) -> list[Span]:
    """The ends of a dose: below and above the strength that leaves the model untouched; else from end to end."""
    low, high = min(strengths), max(strengths)
    if neutral is None:
        return [Span(high, low, 1)] if high > low else []
    below = [Span(low, None, -1)] if low < neutral else []
    return below + ([Span(high, None, 1)] if high > neutral else [])


def end_to_end(found: Response, ends: Sequence[Span]) -> Float[np.ndarray, "direction prompt"]:
    """How far each direction carries each prompt in the right sense, over all ends together."""
    return np.sum([end.moved(found) for end in ends], axis=0)


def slopes(score: Float[np.ndarray, "strength prompt"], strengths: Sequence[float]) -> Prompts:
    """Least-squares slope of each prompt's log-odds over the strengths, in nats per unit; 0 for one strength."""
    centred = np.asarray(strengths) - np.mean(strengths)
    spread = (centred**2).sum()
    return (centred @ (score - score.mean(0))) / spread if spread > 0 else np.zeros(score.shape[1])


@dataclass(frozen=True)
class Ladder:
    """One direction's way from the untouched model to an end of the dose.

    Attributes:
        roots: of the mean KL over prompts at every strength on the way, made to rise; 0 first.
        moved: each prompt in the right sense, in nats.
    """

    roots: Float[np.ndarray, " step"]
    moved: Float[np.ndarray, "step prompt"]

    @classmethod
    def of(cls, found: Response, direction: int, end: Span, neutral: float) -> "Ladder":
        """From what was run."""
        steps = sorted((s for s in found.strengths if (s - neutral) * end.sense > 0), key=lambda s: abs(s - neutral))
        places = [found.strengths.index(strength) for strength in steps]
        kl = found.kl[direction, places].mean(1).clip(min=0)
        moved = np.vstack([np.zeros(found.change.shape[2]), end.sense * found.change[direction, places]])
        return cls(np.maximum.accumulate(np.concatenate([[0.0], np.sqrt(kl)])), moved)

    def at(self, root: float) -> Prompts:
        """How far each prompt is moved at a KL that is reached on the way.

        KL grows as the square of a short length, so it is its root that is interpolated between strengths.
        """
        upper = int(np.clip(np.searchsorted(self.roots, root), 1, len(self.roots) - 1))
        gap = self.roots[upper] - self.roots[upper - 1]
        share = min(1.0, (root - self.roots[upper - 1]) / gap) if gap > 0 else 1.0
        return (1 - share) * self.moved[upper - 1] + share * self.moved[upper]


def at_equal_kl(
    own: Response, other: Response, direction: int, end: Span, neutral: float
) -> tuple[Prompts, Prompts]:
    """How far the direction and another one move each prompt at the largest KL that both reach on the way to an end."""
    mine, theirs = Ladder.of(own, 0, end, neutral), Ladder.of(other, direction, end, neutral)
    root = min(mine.roots[-1], theirs.roots[-1])
    return mine.at(root), theirs.at(root)
