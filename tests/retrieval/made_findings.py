"""`RetrievalFindings` of scores that are made and not measured."""

import numpy as np
import torch

from latentmech.data import Collection, Examples
from latentmech.model import levels_of
from latentmech.retrieval.candidates import SearchCandidate
from latentmech.retrieval.findings import RetrievalFindings
from latentmech.retrieval.settings import RetrievalSettings
from latentmech.retrieval.spaces import fit

TEST = 60


def findings_of(means, *, shuffled=None, groups=TEST, dev=30):
    """Scores around these means on 60 test queries in `groups` groups; three levels that dev has looked at."""
    rng = np.random.default_rng(0)
    names = tuple(f"q{i}" for i in range(TEST + dev))
    queries = Examples(
        ids=names,
        texts=names,
        groups=tuple(f"g{i % groups}" if i < TEST else f"d{i}" for i in range(TEST + dev)),
        splits=("test",) * TEST + ("dev",) * dev,
    )
    documents = Examples(ids=("d",), texts=("d",), groups=("d",), splits=("",))
    judged = {name: {"d": 1} for name in names}
    noise = rng.normal(0, 0.02, dev)
    candidates = [
        SearchCandidate(level, "mean", "raw", at + noise + rng.normal(0, 0.01, dev))
        for level, at in zip(levels_of(2), (0.5, 0.505, 0.2), strict=True)
    ]
    scores = {who: {"ndcg@10": np.clip(at + rng.normal(0, 0.05, TEST), 0.01, 0.99)} for who, at in means.items()}
    return RetrievalFindings(
        settings=RetrievalSettings(cluster_by=None, draws=200),
        collection=Collection(documents=documents, queries=queries, judgements=judged, source="made"),
        candidates=candidates,
        best=1,
        space=fit("raw", torch.zeros(1, 2)),
        scores=scores,
        dev={},
        twin=[],
        shuffled=np.full(100, 0.05) if shuffled is None else shuffled,
        searchers={},
        index_recall=None,
    )
