"""`Check`: one comparison with plain transformers, and what is done where it fails."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from latentmech.errors import first_line
from latentmech.model.batching import out_of_memory
from latentmech.model.road import Road

TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
TINY = 1e-30
Sized = tuple[str, float]  # where, and how much
LEFT, CACHE, ABLATION, LENS, NEAR = "left padding", "cache", "ablation", "lens", "near"  # what can be done without
AGAINST_FLOAT32 = "states, against those in float32"
REMEDIES = {
    LEFT: "texts are padded on the right, and generated from one at a time",
    CACHE: "every step of a generation runs the whole text",
    ABLATION: "ablation is refused",
    LENS: "what reads states through the head is refused",
    "site": "this site is refused",
    NEAR: "what is found holds of these weights, in these numbers",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison.

    Attributes:
        name: what was compared.
        level: where the difference is largest, or what was raised in place of a number.
        size: how large it is; NaN where there is no number.
        tolerance: what rounding may do.
        need: what is not to be had where it fails, a key of `REMEDIES`; empty if the model is of no use then.
    """

    name: str
    level: str
    size: float
    tolerance: float
    need: str = ""

    @property
    def passed(self) -> bool:
        """Whether the difference is one of rounding."""
        return self.size <= self.tolerance

    @property
    def remedy(self) -> str:
        """What is done where it fails."""
        return REMEDIES.get(self.need, "the model is refused")

    @property
    def failure(self) -> str:
        """How it failed, in words."""
        if math.isnan(self.size):
            return f"“{self.name}” could not be measured ({self.level})"
        place = f" at {self.level}" if self.level else ""
        return f"“{self.name}” is off by {self.size:.1e}{place}, and up to {self.tolerance:g} is rounding"


def measured(name: str, measure: Callable[[], Sized], tolerance: float, need: str = "") -> Check:
    """Measure; what raises has no size, and what there is no memory for says nothing about a model."""
    try:
        level, size = measure()
    except Exception as error:
        if out_of_memory(error):
            raise
        level, size = first_line(error), math.nan
    return Check(name=name, level=level, size=size, tolerance=tolerance, need=need)


def road_of(checks: Sequence[Check]) -> Road:
    """How a model is run that passed these."""
    failed = {check.need for check in checks if not check.passed}
    off = next((check for check in checks if check.name == AGAINST_FLOAT32), None)
    road = Road(left_padding=LEFT not in failed, cache=CACHE not in failed)
    return road if off is None else replace(road, off_float32=off.size, because=off.level)


def relative(found: Float[Tensor, "*rows d"], expected: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows"]:
    """|difference| / |expected| of each vector."""
    return (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=TINY)


def centred(logits: Float[Tensor, "*rows vocab"]) -> Float[Tensor, "*rows vocab"]:
    """Without the mean of each row."""
    return logits - logits.mean(-1, keepdim=True)


def regret(ids: Tensor, steps: Float[Tensor, "step vocab"]) -> float:
    """In standard deviations of the logits. Behind a token that is another the text goes on differently."""
    for token, logits in zip(ids.tolist(), steps, strict=True):
        if token != int(logits.argmax()):
            return float((logits.max() - logits[token]) / logits.std())
    return 0.0
