"""Where to add: the block whose dose-response rises most steadily on dev prompts.

Where a direction reads best is seldom where it moves the model most: late blocks separate well and leave little to
follow from it. A block is judged by its worst step, the least rise of the effect from one strength to the next, so
that it is not taken for one large effect among erratic ones. The prompts are others than those of the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from latentmech.direction import Direction
from latentmech.model import Model, Scope
from latentmech.steering.generation import next_logits
from latentmech.steering.sweep import edit_of
from latentmech.steering.trials import Trials

PROMPTS = 12  # of dev: every block is swept over them


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


def choose_layer(
    model: Model,
    direction: Direction,
    trials: Trials,
    strengths: Sequence[float | int],
    length: Callable[[Direction, float | int], float],
    *,
    edit: str,
    scope: Scope,
) -> LayerChoice:
    """Sweep every block on dev prompts; the last fifth is left out, where a change is no longer read by much.

    Args:
        length: how far a strength goes along the unit vector at the direction's hook point.
    """
    blocks = [
        name
        for name in direction.vectors
        if (own := direction.at(name).layer) is not None and own < 0.8 * model.n_layers
    ]
    trials, steps = trials.at(range(min(PROMPTS, len(trials)))), []
    for name in tqdm(blocks, unit="block", desc=f"{model.name}: where to steer", mininterval=1):
        here = direction.at(name)
        variants = [{name: edit_of(edit, here.vector, length(here, s))} for s in strengths]

        def read(logits: Tensor, places: Sequence[int]) -> Tensor:
            return trials.at(places).log_odds(logits)

        effects = next_logits(model, [{}, *variants], trials.texts, read, scope=scope).mean(1).numpy()
        steps.append(least_rise(effects[1:] - effects[0], strengths))
    return LayerChoice([int(direction.at(name).layer or 0) for name in blocks], np.array(steps))


def least_rise(effects: Float[np.ndarray, " strength"], strengths: Sequence[float | int]) -> float:
    """Least slope between neighbouring strengths; for a single strength, its effect in the strength's own sense."""
    order = np.argsort(strengths)
    at, values = np.append(np.asarray(strengths, dtype=float)[order], 0.0), np.append(effects[order], 0.0)
    order = np.argsort(at, kind="stable")
    gaps = np.diff(at[order])
    rises = np.diff(values[order])
    return float((rises[gaps > 0] / gaps[gaps > 0]).min()) if (gaps > 0).any() else 0.0
