"""Where to steer: the block whose dose-response rises most steadily on dev prompts.

Where a direction reads best is seldom where it moves the model most: late blocks separate well and leave little to
follow from it. A block is judged by its worst step, the least rise of the effect from one strength to the next, so
that it is not taken for one large effect among erratic ones. As the best of many blocks flatters, directions without
meaning may choose too, by the same rule; at the ends of the dose, over few blocks and prompts, because they are many.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from latentmech.direction import Direction
from latentmech.errors import BadInput
from latentmech.steering.edits import Steerer
from latentmech.steering.sweep import Doses, response
from latentmech.steering.trials import Trials

PROMPTS = 12  # of dev: every block is swept over them
NULL_PROMPTS = 6  # of dev, for directions without meaning
NULL_BLOCKS = 5  # evenly apart, for these


def eligible(direction: Direction, n_layers: int) -> list[Direction]:
    """The direction at every block but the last fifth, where a change is no longer read by much."""
    placed = [direction.at(name) for name in direction.vectors]
    found = [here for here in placed if here.layer is not None and here.layer < 0.8 * n_layers]
    if not found:
        raise BadInput(f"steering.layer=dev: {direction.name} has no vector below the last fifth; set layer=found")
    return found


def rises_of(
    steerer: Steerer, direction: Direction, dev: Trials, doses_at: Callable[[Direction], Doses]
) -> dict[int, float]:
    """By block, the least rise of the effect per unit of strength, in nats; the block with the largest is chosen.

    Args:
        doses_at: the strengths at each block, as the sweep would have them there.
    """
    places = eligible(direction, steerer.model.n_layers)
    steps = _rises(steerer, [[here] for here in places], dev.at(range(min(PROMPTS, len(dev)))), doses_at)
    return dict(zip([int(here.layer or 0) for here in places], steps[:, 0].tolist(), strict=True))


def choosing(
    steerer: Steerer, direction: Direction, made: Callable[[Direction], list[Direction]], dev: Trials, doses: Doses
) -> list[Direction]:
    """Directions without meaning, each at the block that it chooses; `made` gives all of them at one."""
    places = eligible(direction, steerer.model.n_layers)
    kept = np.unique(np.linspace(0, len(places) - 1, min(NULL_BLOCKS, len(places))).round().astype(int))
    everywhere = [made(places[i]) for i in kept]
    best = _rises(steerer, everywhere, dev.at(range(min(NULL_PROMPTS, len(dev)))), lambda _: doses).argmax(0)
    chosen = [everywhere[block][i] for i, block in enumerate(best)]
    return sorted(chosen, key=lambda one: one.layer or 0)  # what is steered at one block runs together


def _rises(
    steerer: Steerer, places: Sequence[list[Direction]], trials: Trials, doses_at: Callable[[Direction], Doses]
) -> Float[np.ndarray, "place direction"]:
    bar = tqdm(places, unit="block", desc=f"{steerer.model.name}: where to steer", mininterval=1)
    found = [response(steerer, trials, (here, doses_at(here[0]))) for here in bar]
    neutral = steerer.kind.neutral
    return np.array([[least_rise(own, one.strengths, neutral) for own in one.change.mean(2)] for one in found])


def least_rise(effects: Float[np.ndarray, " strength"], strengths: Sequence[float], neutral: float | None) -> float:
    """Least slope between neighbouring strengths, the neutral one included; of one alone, its effect in its sense."""
    known = list(zip(strengths, effects.tolist(), strict=True))
    if neutral is not None or len(known) == 1:
        known.append((neutral or 0.0, 0.0))
    at, values = np.array(sorted(known)).T
    gaps, rises = np.diff(at), np.diff(values)
    return float((rises[gaps > 0] / gaps[gaps > 0]).min()) if (gaps > 0).any() else 0.0
