"""Paths from one state to another: straight, along the sphere, and as long in a random direction.

    straight     x(t) = (1 - t) s + t e
    spherical    x(t) = r(t) [sin((1 - t) θ) ŝ + sin(t θ) ê] / sin θ,   r(t) = (1 - t) |s| + t |e|

with θ the angle between s and e (Shoemake 1985, "Animating rotation with quaternion curves"; White 2016, "Sampling
generative networks", for latent spaces). Halfway along a straight path the norm is smaller than at both ends; the
spherical path keeps it, which matters where the model's next norm is not the only reader.

What a path does not show: that the model ever visits the states in between. A random path of the same length says
what any movement of that size does; it leaves the region of real states sooner than one between two of them.
"""

import torch
from jaxtyping import Float
from torch import Tensor

States = Float[Tensor, "pos d_model"]
Path = Float[Tensor, "step pos d_model"]

KINDS = ("straight", "spherical")
FLAT = 1e-6  # sines below this: both ends lie on one line through the origin, and no circle is singled out


def path_between(kind: str, start: States, end: States, steps: int) -> Path:
    """States on the way, both ends included and unchanged to the last bit; every position goes its own way."""
    share = torch.linspace(0, 1, steps, dtype=torch.float64, device=start.device)[:, None, None]
    a, b = start.double(), end.double()
    path = (_straight if kind == "straight" else _spherical)(a, b, share).to(start.dtype)
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


def _straight(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(a, b, share)


def _spherical(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    angle = _angle(a, b)
    sine = angle.sin()
    flat = sine.abs() < FLAT
    safe = torch.where(flat, torch.ones_like(sine), sine)
    turned = (torch.sin((1 - share) * angle) * _unit(a) + torch.sin(share * angle) * _unit(b)) / safe
    radius = torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), share)
    return torch.where(flat, _straight(a, b, share), radius * turned)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """By half the chord and half the sum, which lose no digits where the angle is small (Kahan 2006)."""
    a, b = _unit(a), _unit(b)
    return 2 * torch.atan2((a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True))


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
