"""In which coordinates cosines are taken. Each is fitted to the documents alone; queries are only carried along.

raw        as they are. Residual streams have a large common part, so all cosines are near 1 (anisotropy).
centred    minus the mean of the documents (Mu & Viswanath 2018, "All-but-the-top", first step).
whitened   (x - mean) / std, then by the inverse root of their correlation matrix C, shrunk towards the identity:
           ((1 - s) C + s I)^(-1/2), with s by Ledoit & Wolf (2004). Without the shrinkage, fewer documents than
           dimensions would make all documents equally far from each other (Su et al. 2021, "Whitening sentence
           representations").
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.storage import fingerprint
from latentmech.tensors import divisor

Rows = Float[Tensor, "row d"]


@dataclass(frozen=True)
class CosineSpace:
    """Coordinates: `(rows - mean) @ weight`.

    Attributes:
        weight: what is multiplied by; None is the identity.
    """

    kind: str
    mean: Float[Tensor, " d"]
    weight: Float[Tensor, "d d"] | None = None

    def __call__(self, rows: Rows) -> Rows:
        """Rows in these coordinates."""
        moved = rows.double() - self.mean
        return (moved if self.weight is None else moved @ self.weight).float()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """As an artifact holds them."""
        return {"mean": self.mean.float()} | ({} if self.weight is None else {"weight": self.weight.float()})

    @property
    def fingerprint(self) -> str:
        """What a vector in these coordinates depends on, to single precision."""
        return fingerprint([self.kind, *(t.numpy().tobytes().hex() for t in self.tensors.values())])


def fit(kind: str, documents: Rows) -> CosineSpace:
    """The space of that kind for these documents."""
    rows = documents.double()
    mean = rows.mean(0)
    if kind == "raw":
        return CosineSpace(kind, torch.zeros_like(mean))
    return CosineSpace(kind, mean, _whitening(rows - mean, mean) if kind == "whitened" else None)


def _whitening(centred: Float[Tensor, "row d"], mean: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """Standardise, then the inverse root of the shrunk correlations."""
    from sklearn.covariance import ledoit_wolf

    spread = divisor(centred.std(0, correction=0), mean)
    shrunk, _ = ledoit_wolf((centred / spread).numpy(), assume_centered=True)
    values, vectors = torch.linalg.eigh(torch.from_numpy(shrunk))
    root = vectors @ torch.diag(values.clamp(min=1e-12).rsqrt()) @ vectors.T
    return root / spread.unsqueeze(1)
