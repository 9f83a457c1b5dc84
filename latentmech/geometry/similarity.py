"""How alike two vectors are, in four ways. Each but the last is a product after the vectors have been prepared.

cosine          x·y / |x||y|. Where all states share a large common part it is near 1 for any two of them.
centred_cosine  the cosine after the mean of all is taken off (Mu & Viswanath 2018, "All-but-the-top", step 1).
causal          the causal inner product (Park, Choe & Veitch 2024, "The linear representation hypothesis and the
                geometry of large language models", theorem 3.4). With C the covariance of the unembedding over the
                vocabulary, unembedding vectors are centred and multiplied by C^(-1/2), states by C^(1/2); then the
                cosine. It is derived for the state that the unembedding reads; at lower blocks it is a wager.
euclidean       minus the distance, so that nearer is larger.

None of them says what a model uses: they are ways of looking.

Two properties of a cloud of vectors that make nearest neighbours mislead.

anisotropy   the mean cosine of all pairs (Ethayarajh 2019, "How contextual are contextualized word
             representations?"). 0 in a cloud that looks the same from all sides; near 1 all lie in a narrow cone,
             and a cosine of 0.9 means nothing. Stated for what a similarity compares: centred vectors are centred.
hubness      N_k(x) counts how often x is among the k nearest of the others; hubness is its skewness,
             E[(N_k - k)^3] / sd^3 (Radovanovic, Nanopoulos & Ivanovic 2010, "Hubs in space", section 3). High: a few
             points are everybody's neighbours. It grows with the dimension in any cloud, hence the null: a Gaussian
             cloud of the same mean and covariance.

Neither says whether the neighbours that are found make sense.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

WordRows = Float[Tensor, "row d_model"]


@dataclass(frozen=True)
class CausalMetric:
    """What vectors are multiplied by for the causal inner product.

    Attributes:
        state: C^(1/2), for states.
        unembedding: C^(-1/2), for unembedding vectors. Directions in which C is zero get 0 in both.
        mean: of the unembedding over the vocabulary.
    """

    state: Float64[Tensor, "d_model d_model"]
    unembedding: Float64[Tensor, "d_model d_model"]
    mean: Float64[Tensor, " d_model"]

    @classmethod
    def of(cls, unembedding: Float[Tensor, "token d_model"]) -> "CausalMetric":
        """From the whole unembedding."""
        values, basis = torch.linalg.eigh(torch.cov(unembedding.double().T))
        kept = values > values.max() * 1e-10
        root = values.clamp(min=0).sqrt() * kept
        inverse = torch.where(kept, 1 / root, 0)
        return cls(basis * root @ basis.T, basis * inverse @ basis.T, unembedding.double().mean(0))


def prepared(vectors: WordRows, kind: str, causal: CausalMetric | None = None, role: str = "state") -> WordRows:
    """Vectors whose products are the similarity `kind` (for `euclidean`, as they are).

    Args:
        role: what the vectors are: `state`, `unembedding`, or `static` ones that belong to no model, for which
            `causal` means nothing and the cosine is taken.
    """
    if kind == "euclidean":
        return vectors
    if kind == "centred_cosine":
        vectors = vectors - vectors.mean(0)
    if kind == "causal" and role != "static":
        assert causal is not None, "the causal inner product needs the unembedding"
        own = vectors.double()
        product = (own - causal.mean) @ causal.unembedding if role == "unembedding" else own @ causal.state
        vectors = product.float()
    return torch.nn.functional.normalize(vectors, dim=-1)


def similarities(
    queries: Float[Tensor, "query d_model"], candidates: Float[Tensor, "candidate d_model"], kind: str
) -> Float[Tensor, "query candidate"]:
    """Similarity of each query with each candidate, both `prepared`. Distances are taken in double precision."""
    if kind == "euclidean":
        return -torch.cdist(queries.double(), candidates.double()).float()
    return queries @ candidates.T


def nearest(
    vectors: WordRows, kind: str, k: int, queries: Int[Tensor, " query"] | None = None
) -> tuple[Float[Tensor, "query k"], Int[Tensor, "query k"]]:
    """The `k` nearest other rows of the rows `queries` (default all), best first: similarities and places."""
    places = torch.arange(len(vectors)) if queries is None else queries
    scores = similarities(vectors[places], vectors, kind)
    scores[torch.arange(len(places)), places] = -torch.inf
    top = scores.topk(k, dim=1)
    return top.values, top.indices


def anisotropy(vectors: WordRows) -> float:
    """Mean cosine of all pairs of different rows, from |sum of unit rows|^2, which also holds each row with itself."""
    rows = torch.nn.functional.normalize(vectors, dim=1).double()
    n = len(rows)
    return float((rows.sum(0).square().sum() - rows.square().sum()) / (n * (n - 1)))


def occurrences(vectors: WordRows, kind: str, k: int) -> Int[np.ndarray, " row"]:
    """How often each row is among the k nearest of another."""
    _, places = nearest(vectors, kind, k)
    return np.bincount(places.flatten().numpy(), minlength=len(vectors))


def hubness(counts: Int[np.ndarray, " row"]) -> float:
    """Skewness of the k-occurrence; 0 where all are equal."""
    from scipy.stats import skew

    return float(skew(counts)) if np.ptp(counts) else 0.0


def gaussian_like(vectors: WordRows, seed: int) -> WordRows:
    """As many draws from a Gaussian of the same mean and covariance: the shape of the cloud without its clusters."""
    centred = (vectors - vectors.mean(0)).double()
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(len(vectors), len(vectors), generator=generator, dtype=torch.float64)
    return (vectors.mean(0).double() + mixing @ centred / len(vectors) ** 0.5).float()
