"""How alike two vectors are, in four ways. Each but the last is a product after the vectors have been prepared.

cosine          x·y / |x||y|. Where all states share a large common part it is near 1 for any two of them.
centred_cosine  the cosine after the mean of all is taken off (Mu & Viswanath 2018, "All-but-the-top", step 1).
causal          the causal inner product (Park, Choe & Veitch 2024, "The linear representation hypothesis and the
                geometry of large language models", theorem 3.4). With C the covariance of the unembedding over the
                vocabulary, unembedding vectors are centred and multiplied by C^(-1/2), states by C^(1/2); then the
                cosine. It is derived for the state that the unembedding reads; at lower blocks it is a wager.
euclidean       minus the distance, so that nearer is larger.

None of them says what a model uses: they are ways of looking.
"""

from dataclasses import dataclass

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
        causal: needed for `causal`.
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
