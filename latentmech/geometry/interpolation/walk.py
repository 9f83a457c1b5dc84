"""`walk`: what a model would say if it were in a state on the way from one context's to another's.

Two prompts run once. At one level, the states of the tokens where they differ are then replaced by those of a point on
a path, and the blocks above go on from there. As every token from the first that differs is replaced, the two ends are
the two clean runs; where only the last token differs, it alone is patched.

They are the clean runs to the last bit, so whatever a path adds is the path's. That takes runs of one shape: a matrix
product over more rows adds its terms in another order, and as one of 72 rows the clean run itself comes out otherwise
by 1e-5 to 1e-4 of a logit. So the two ends are patched into runs of one prompt, as the clean ones are, and only the
points between them run side by side.

Paths from one state to another: straight, along the sphere, and as long in a random direction.

    straight     x(t) = (1 - t) s + t e
    spherical    x(t) = r(t) [sin((1 - t) θ) ŝ + sin(t θ) ê] / sin θ,   r(t) = (1 - t) |s| + t |e|

with θ the angle between s and e (Shoemake 1985, "Animating rotation with quaternion curves"; White 2016, "Sampling
generative networks", for latent spaces). Halfway along a straight path the norm is smaller than at both ends; the
spherical path keeps it, which matters where the model's next norm is not the only reader.

What a path does not show: that the model ever visits the states in between. A random path of the same length says
what any movement of that size does; it leaves the region of real states sooner than one between two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model import Batch, Level, Model, engine_of, intervening, pad, tokenise


@dataclass(frozen=True, eq=False)
class Patch:
    """An edit: the states of the last tokens are replaced."""

    states: Float[Tensor, "patched d_model"]

    def __call__(self, resid: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """The residual stream with the new states in it."""
        new = self.states.to(resid).expand(len(resid), -1, -1)
        return torch.cat([resid[:, : resid.shape[1] - new.shape[1]], new], dim=1)


@dataclass(frozen=True, eq=False)
class CleanRun:
    """A prompt as the model runs it untouched: its tokens, its states by hook name, and what it says next."""

    batch: Batch
    states: dict[str, Float[Tensor, "pos d_model"]]
    logits: Float[Tensor, " vocab"]

    @cached_property
    def log_probs(self) -> Float[Tensor, " vocab"]:
        """Of the next token."""
        return self.logits.double().log_softmax(-1)


@dataclass(frozen=True, eq=False)
class PathEnds:
    """Two clean runs and how many of their last tokens are patched.

    Attributes:
        tokens: the next token that speaks for the start, and the one that speaks for the end.
    """

    start: CleanRun
    end: CleanRun
    patched: int
    tokens: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Along:
    """What the model says at every step of a path.

    Attributes:
        top: the likeliest next token.
        log_odds: of the end's token against the start's, in nats.
        kl_start: KL divergence from the start's next-token distribution to the step's, in nats; `kl_end` the end's.
        entropy: of the next token, in nats.
    """

    top: tuple[int, ...]
    log_odds: Float[np.ndarray, " step"]
    kl_start: Float[np.ndarray, " step"]
    kl_end: Float[np.ndarray, " step"]
    entropy: Float[np.ndarray, " step"]


@dataclass(frozen=True, eq=False)
class Walk:
    """One kind of path at one level, and paths of the same length in random directions.

    Attributes:
        error: largest difference of a logit between an end of the path and its clean run.
    """

    kind: str
    level: Level
    own: Along
    random: tuple[Along, ...]
    error: float


def ends_of(model: Model, levels: Sequence[Level], start: str, end: str, tokens: str) -> PathEnds:
    """Run both prompts.

    Args:
        tokens: `differing` patches all from the first token in which the prompts differ; `last` only the last one,
            into the start's context, and then the far end is not the clean run of the end.

    Raises:
        BadInput: `differing` and prompts of unequal length in tokens.
    """
    found = tokenise(model, [start, end], ["start", "end"])
    a, b = found.ids
    if tokens == "differing" and len(a) != len(b):
        raise BadInput(
            f"{start!r} has {len(a)} tokens and {end!r} has {len(b)} in {model.name}; choose prompts of one length, "
            "or set geometry.tokens=last"
        )
    runs = _clean(model, levels, a), _clean(model, levels, b)
    first = int(np.argmax(a != b)) if tokens == "differing" and (a != b).any() else len(a) - 1
    return PathEnds(*runs, len(a) - first, _telling(runs[0].log_probs, runs[1].log_probs))


def _clean(model: Model, levels: Sequence[Level], ids: np.ndarray) -> CleanRun:
    batch = pad([ids], 0, "right", model.torch_device)
    states: dict[str, Tensor] = {}

    def keeping(resid: Tensor, name: str) -> Tensor:
        states[name] = resid[0].clone()
        return resid

    edits = {level.hook_name: partial(keeping, name=level.hook_name) for level in levels}
    with intervening(model, edits) as runner:
        logits = runner.logits(batch)
    return CleanRun(batch, states, logits[0, 0])


def _telling(start: Float[Tensor, " vocab"], end: Float[Tensor, " vocab"]) -> tuple[int, int]:
    """The top token of each end; where that is the same one, the token that each prefers most against the other."""
    tops = int(start.argmax()), int(end.argmax())
    if tops[0] != tops[1]:
        return tops
    return int((start.exp() * (start - end)).argmax()), int((end.exp() * (end - start)).argmax())


def walk(model: Model, level: Level, ends: PathEnds, steps: int, seeds: Sequence[int]) -> list[Walk]:
    """Both kinds of path at one level with their random ones, over the start's prompt."""
    a, b = (run.states[level.hook_name][-ends.patched :] for run in (ends.start, ends.end))
    targets = [(kind, [b, *(random_end(kind, a, b, seed) for seed in seeds)]) for kind in KINDS]
    points = torch.cat([path_between(kind, a, end, steps) for kind, others in targets for end in others])
    logits, walks = _said(model, level, ends.start.batch, points, (a, b)).unflatten(0, (len(KINDS), -1, steps)), []
    for kind, paths in zip(KINDS, logits, strict=True):
        own, *random = [_along(path, ends) for path in paths]
        far = [paths[0, 0] - ends.start.logits, paths[0, -1] - ends.end.logits]
        walks.append(Walk(kind, level, own, tuple(random), max(float(apart.abs().max()) for apart in far)))
    return walks


def _said(
    model: Model, level: Level, batch: Batch, points: Float[Tensor, "point patched d_model"], ends: tuple[Tensor, ...]
) -> Float[Tensor, "point vocab"]:
    """Logits with each point patched in: the ends, wherever they come up, alone; all others as rows of one batch."""
    alone = []
    for end in ends:
        with intervening(model, {level.hook_name: Patch(end)}) as runner:
            alone.append(runner.logits(batch)[0, 0])
    is_end = torch.stack([(points == end).flatten(1).all(1) for end in ends])
    said, between = torch.stack(alone)[is_end.int().argmax(0)], ~is_end.any(0)
    if bool(between.any()):
        variants = [{level.hook_name: Patch(states)} for states in points[between]]
        said[between] = engine_of(model).logits(variants, batch)[:, 0, 0]
    return said


def _along(logits: Float[Tensor, "step vocab"], ends: PathEnds) -> Along:
    said = logits.double().log_softmax(-1)
    kls = [(run.log_probs.exp() * (run.log_probs - said)).sum(-1).clamp(min=0) for run in (ends.start, ends.end)]
    first, last = ends.tokens
    numbers = (said[:, last] - said[:, first], *kls, -(said.exp() * said).sum(-1))
    return Along(tuple(said.argmax(-1).tolist()), *(number.cpu().numpy() for number in numbers))


States = Float[Tensor, "pos d_model"]
Path = Float[Tensor, "step pos d_model"]

KINDS = ("straight", "spherical")
FLAT = 1e-6  # sines below this: both ends lie on one line through the origin, and no circle is singled out


def path_between(kind: str, start: States, end: States, steps: int) -> Path:
    """States on the way, both ends included and unchanged to the last bit; every position goes its own way."""
    share = torch.linspace(0, 1, steps, dtype=torch.float64, device=start.device)[:, None, None]
    a, b = start.double(), end.double()
    path = (torch.lerp(a, b, share) if kind == "straight" else _spherical(a, b, share)).to(start.dtype)
    path[0], path[-1] = start, end
    return path


def random_end(kind: str, start: States, end: States, seed: int) -> States:
    """A state in a random direction, to which the path of this kind from `start` is as long as the one to `end`.

    For a spherical path it has the norm of `end` and lies at its angle from `start`.
    """
    a, b = start.double(), end.double()
    noise = torch.randn(a.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(a.device)
    if kind == "straight":
        return (a + (b - a).norm(dim=-1, keepdim=True) * _unit(noise)).to(start.dtype)
    aside = _unit(noise - (noise * _unit(a)).sum(-1, keepdim=True) * _unit(a))
    angle = _angle(a, b)
    return (b.norm(dim=-1, keepdim=True) * (angle.cos() * _unit(a) + angle.sin() * aside)).to(start.dtype)


def _spherical(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    angle = _angle(a, b)
    sine = angle.sin()
    flat = sine.abs() < FLAT
    safe = torch.where(flat, torch.ones_like(sine), sine)
    turned = (torch.sin((1 - share) * angle) * _unit(a) + torch.sin(share * angle) * _unit(b)) / safe
    radius = torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), share)
    return torch.where(flat, torch.lerp(a, b, share), radius * turned)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """By half the chord and half the sum, which lose no digits where the angle is small (Kahan 2006)."""
    a, b = _unit(a), _unit(b)
    return 2 * torch.atan2((a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True))


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
