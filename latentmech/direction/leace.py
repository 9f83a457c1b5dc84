"""LEACE: the smallest change after which no linear classifier tells the classes apart (Belrose et al. 2023).

For two classes the theorem (their equation 1 with a single cross-covariance direction) comes down to

    x' = x - delta (n . (x - mean)) / (n . delta)        delta = m_1 - m_0,   n = S_total^+ delta

Erased along delta, measured by n. Both class means become the mean of all rows, hence any loss that is convex in a
linear prediction is least for a constant one ("perfect guarding", their theorem 3.1).

What it does not show: that the property is gone. Guarding is linear, and holds for rows like those it was fitted on.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from latentmech.activations import Moments
from latentmech.direction.sample import Labelled, Spectrum

CITES = ("belrose2023",)


@dataclass(frozen=True)
class Eraser:
    """An oblique projection: what `across` measures is removed along `along`, around `mean`.

    Attributes:
        along: difference of the class means, scaled so that `across . along` is 1.
        across: the reading normal, a unit vector.
        mean: of all rows; the plane through it is left as it is.
    """

    along: Float64[Tensor, " d_model"]
    across: Float64[Tensor, " d_model"]
    mean: Float64[Tensor, " d_model"]

    @classmethod
    def of(cls, moments: Moments) -> "Eraser":
        """The eraser of two classes."""
        delta = moments.means[1] - moments.means[0]
        values, vectors = torch.linalg.eigh(moments.total)
        eps = torch.finfo(torch.float64).eps
        across = _normal(Spectrum(values, vectors.T, torch.ones_like(values), eps), delta)
        return cls(delta / (across @ delta), across, moments.mean)

    def __call__(self, rows: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        """The rows, erased."""
        across, along, mean = (t.to(rows) for t in (self.across, self.along, self.mean))
        return rows - ((rows - mean) @ across).unsqueeze(-1) * along


def leace(sample: Labelled) -> Float[Tensor, " d_model"]:
    """The reading normal, whose values the eraser makes equal; as long as the distance of the means along it."""
    delta = sample.means[1] - sample.means[0]
    across = _normal(sample.spectrum(), delta)
    return across * (across @ delta)


def _normal(spectrum: Spectrum, delta: Float64[Tensor, " d_model"]) -> Float64[Tensor, " d_model"]:
    """S_total^+ delta at length 1; the pseudo-inverse leaves out what the rows do not span."""
    values, axes, scale, eps = spectrum
    kept = values > values.max() * len(delta) * eps
    normal = (axes @ (delta / scale) / values.clamp(min=1e-300) * kept) @ axes / scale
    return normal / normal.norm()
