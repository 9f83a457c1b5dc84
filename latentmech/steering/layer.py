"""Where to steer: the block whose dose-response rises most steadily on dev prompts.

Where a direction reads best is seldom where it moves the model most: late blocks separate well and leave little to
follow from it. A block is judged by its worst step, the least rise of the effect from one strength to the next, so
that it is not taken for one large effect among erratic ones. The prompts are others than those of the result.

A choice of the best of many blocks flatters: it is larger than what any one block deserves. So directions that mean
nothing may choose too, by the same rule; at both ends of the dose, over few blocks and prompts, because they are many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from latentmech.direction import Direction
from latentmech.errors import BadInput
from latentmech.steering.edits import Steerer
from latentmech.steering.sweep import Doses, response
from latentmech.steering.trials import Trials

PROMPTS = 12  # of dev: every block is swept over them
NULL_PROMPTS = 6  # of dev, for each direction that means nothing
NULL_BLOCKS = 5  # evenly apart, for these


@dataclass(frozen=True)
class LayerChoice:
    """What was found at each block.

    Attributes:
        layers: the blocks looked at.
        steps: the least rise of the effect per unit of strength, in nats.
        layer: the block with the largest.
    """

    layers: Sequence[int]
    steps: Float[np.ndarray, " layer"]

    @property
    def layer(self) -> int:
        """The chosen block."""
        return self.layers[int(self.steps.argmax())]


def eligible(direction: Direction, n_layers: int) -> list[Direction]:
    """The direction at every block but the last fifth, where a change is no longer read by much."""
    placed = [direction.at(name) for name in direction.vectors]
    found = [here for here in placed if here.layer is not None and here.layer < 0.8 * n_layers]
    if not found:
        raise BadInput(f"steering.layer=dev: {direction.name} has no vector below the last fifth; set layer=found")
    return found


def choose_layer(steerer: Steerer, direction: Direction, dev: Trials, doses: Doses) -> LayerChoice:
    """Sweep every block on dev prompts."""
    trials, steps = dev.at(range(min(PROMPTS, len(dev)))), []
    places = eligible(direction, steerer.model.n_layers)
    for here in tqdm(places, unit="block", desc=f"{steerer.model.name}: where to steer", mininterval=1):
        _, found = response(steerer, trials, [here], doses)
        steps.append(least_rise(found.change[0].mean(1), found.strengths, steerer.kind.neutral))
    return LayerChoice([int(here.layer or 0) for here in places], np.array(steps))


def choosing(
    steerer: Steerer, direction: Direction, made: Callable[[Direction], Sequence[Direction]], dev: Trials, doses: Doses
) -> list[Direction]:
    """Directions that mean nothing, each at the block that it chooses.

    Args:
        made: all of them at the place of a direction.
    """
    trials, candidates = dev.at(range(min(NULL_PROMPTS, len(dev)))), eligible(direction, steerer.model.n_layers)
    kept = np.unique(np.linspace(0, len(candidates) - 1, min(NULL_BLOCKS, len(candidates))).round().astype(int))
    everywhere = [made(candidates[i]) for i in kept]
    rises = []
    for here in tqdm(everywhere, unit="block", desc=f"{steerer.model.name}: where nulls steer", mininterval=1):
        _, found = response(steerer, trials, here, doses)
        rises.append([least_rise(one.mean(1), found.strengths, steerer.kind.neutral) for one in found.change])
    chosen = [everywhere[block][i] for i, block in enumerate(np.argmax(rises, axis=0))]
    return sorted(chosen, key=lambda one: one.layer or 0)  # what is steered at one block runs together


def least_rise(
    effects: Float[np.ndarray, " strength"], strengths: Sequence[float], neutral: float | None = 0.0
) -> float:
    """Least slope between neighbouring strengths; for a single strength, its effect in the strength's own sense.

    Args:
        neutral: the strength at which the effect is 0, if there is one.
    """
    known = [(strength, effect) for strength, effect in zip(strengths, effects.tolist(), strict=True)]
    if neutral is not None or len(known) == 1:
        known.append((neutral or 0.0, 0.0))
    at, values = np.array(sorted(known)).T
    gaps, rises = np.diff(at), np.diff(values)
    return float((rises[gaps > 0] / gaps[gaps > 0]).min()) if (gaps > 0).any() else 0.0
