"""The neighbours study as a whole, on the tiny model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from latentmech.activations import ActivationStore
from latentmech.geometry import NeighboursStudy
from latentmech.geometry.similarity import occurrences, prepared

STUDY = NeighboursStudy(words=("king", "Paris", "tree"), contexts=(), texts=(), common=150, k=5, random_init=False)


@pytest.fixture(scope="module")
def found(tiny):
    return STUDY.find(tiny, ActivationStore())


@pytest.fixture(scope="module")
def spaces(tiny, found):
    return list(found.pools[0].spaces(tiny, ActivationStore(), STUDY))


def test_kept_is_the_share_of_the_neighbours_at_the_embedding(found, spaces):
    near = []
    for space in spaces:
        alike = cosine_similarity(space.vectors.double().numpy())
        np.fill_diagonal(alike, -2)
        near.append(np.argsort(-alike[:3])[:, :5])
    shares = [np.mean([len(set(a) & set(b)) / 5 for a, b in zip(own, near[0], strict=True)]) for own in near]
    assert [one.kept for one in found.near("words")] == pytest.approx(shares, abs=0.07)  # ties may fall otherwise
    assert shares[0] == 1 > min(shares)


def test_every_cloud_has_its_own_null(found, spaces):
    for cloud in found.of("words", "cosine"):
        (space,) = (s for s in spaces if s.name == cloud.space)
        counts = occurrences(prepared(space.vectors, "cosine"), "cosine", 5)
        assert cloud.never == pytest.approx((counts == 0).mean()) and cloud.n == len(space.vectors)
        assert cloud.hubness_null != cloud.hubness
    by_kind = [found.of("words", kind)[1].anisotropy for kind in ("cosine", "centred_cosine")]
    assert by_kind[0] > 0.1 > abs(by_kind[1])


def test_a_sample_is_as_large_as_asked(tiny):
    (first, *_) = replace(STUDY, sample=100).find(tiny, ActivationStore()).clouds
    assert first.n == 100


def test_by_euclidean_distance_the_cone_is_that_of_the_cosine(tiny):
    report = replace(STUDY, similarity="euclidean")(tiny, ActivationStore())
    assert report.headline.startswith("By cosine, two words of tiny have a mean cosine of")
    assert torch.isfinite(torch.tensor(list(report.metrics.values()))).all()
