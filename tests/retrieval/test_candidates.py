"""Candidates against ranks counted one query at a time: which rows, which coordinates, which queries."""

from itertools import product

import numpy as np
import pytest
import torch

from latentmech.activations import Activations
from latentmech.data import Collection, Examples
from latentmech.model import Level
from latentmech.retrieval.candidates import Encoded, best_of, candidates, exactly
from latentmech.tensors import save_tensors

LEVELS, POOLINGS, SPACES = (Level(None, "embed"), Level(3, "late")), ("last", "mean"), ("raw", "centred")
N_DOCUMENTS, QUERIES = 30, ("dev", "test", "test", "dev", "dev", "test", "dev", "dev")
RANDOM = np.random.default_rng(0)
RELEVANT = RANDOM.integers(N_DOCUMENTS, size=len(QUERIES))


def named(letter, splits):
    names = tuple(f"{letter}{i}" for i in range(len(splits)))
    return Examples(ids=names, texts=names, groups=names, splits=splits)


@pytest.fixture
def collection():
    judgements = {f"q{i}": {f"d{d}": 1} for i, d in enumerate(RELEVANT)}
    documents, queries = named("d", ("",) * N_DOCUMENTS), named("q", QUERIES)
    return Collection(documents=documents, queries=queries, judgements=judgements, source="made")


@pytest.fixture
def states():
    """Of every text at every level under every pooling; far from the origin, the documents' mean farthest."""
    sizes = {"documents": (N_DOCUMENTS, 9), "queries": (len(QUERIES), 4)}
    return {side: 0.6 * RANDOM.normal(size=(2, n, 2, 5)) + far for side, (n, far) in sizes.items()}


@pytest.fixture
def both(states, tmp_path):
    """On disk a text's poolings follow one another."""

    def saved(side):
        rows = torch.from_numpy(states[side].reshape(2, -1, 5)).float()
        path = tmp_path / f"{side}.safetensors"
        save_tensors(path, {"row": torch.arange(rows.shape[1]), "embed": rows[0], "late": rows[1]}, {})
        return Activations(("embed", "late"), rows.shape[1], 5, (path,))

    return Encoded(saved("documents"), saved("queries"), POOLINGS)


def order(states, level, pooling, space, query):
    """Documents by falling cosine to a query."""
    documents, asked = states["documents"][level, :, pooling], states["queries"][level, query, pooling]
    mean = documents.mean(0) if space == "centred" else 0
    rows, one = documents - mean, asked - mean
    return (-(rows @ one) / np.linalg.norm(rows, axis=1)).argsort()


def test_a_candidate_is_its_rows_in_coordinates_of_the_documents_scored_on_dev(states, both, collection):
    found = list(candidates(both, collection, LEVELS, SPACES))
    everything = list(product((0, 1), (0, 1), SPACES))
    assert [(c.level, c.pooling, c.space) for c in found] == [(LEVELS[i], POOLINGS[p], s) for i, p, s in everything]
    dev = [i for i, split in enumerate(QUERIES) if split == "dev"]
    for candidate, place in zip(found, everything, strict=True):
        ranks = [order(states, *place, i).tolist().index(RELEVANT[i]) + 1 for i in dev]
        assert candidate.dev == pytest.approx([1 / np.log2(1 + rank) if rank <= 10 else 0 for rank in ranks])
    means = [candidate.dev.mean() for candidate in found]
    assert len(set(means)) > 4 and best_of(found) == means.index(max(means))


def test_a_search_in_memory_is_of_the_queries_of_its_split(states, both, collection):
    found = list(candidates(both, collection, LEVELS, SPACES))
    test = [i for i, split in enumerate(QUERIES) if split == "test"]
    for candidate, place in zip(found, product((0, 1), (0, 1), SPACES), strict=True):
        ranking = exactly(both, candidate, collection, "test", depth=N_DOCUMENTS)
        assert ranking.documents.tolist() == [order(states, *place, i).tolist() for i in test]
