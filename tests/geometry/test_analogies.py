"""The analogies study as a whole, on the tiny model: gains, the best block, the words that every space has."""

import numpy as np
import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.data import WordPairs
from latentmech.geometry import AnalogiesStudy
from latentmech.geometry.analogies.asked import asked
from latentmech.geometry.analogies.findings import verdict
from latentmech.geometry.analogies.study import _shown
from latentmech.geometry.similarity import prepared
from latentmech.statistics import Estimate, bootstrap_mean

STUDY = AnalogiesStudy(data=WordPairs(limit=4), static=None, common=30, random_draws=2, draws=100)


@pytest.fixture(scope="module")
def found(tiny):
    return STUDY.find(tiny, ActivationStore())


def test_a_gain_is_the_offset_minus_no_offset_pair_by_pair(found):
    for result in found.own:
        for method, rival in (("3cosadd", "no_offset"), ("3cosmul", "no_offset"), ("mean_offset", "no_offset_alone")):
            own, other = (result.answers.ranks[name].per_pair("top1") for name in (method, rival))
            expected = bootstrap_mean(own - other, found.questions.clusters, 100)
            assert vars(found.estimate(result, method, "gain")) == pytest.approx(vars(expected))
        number = found.questions.names.index("capital")
        own = result.answers.ranks["3cosadd"].per_pair("top5")[found.questions.relation.numpy() == number]
        assert found.estimate(result, "3cosadd", "top5", number).value == pytest.approx(own.mean())


def test_the_best_block_is_the_best_and_the_twin_is_another_model(found):
    top = {r.layer: found.estimate(r, "3cosadd").value for r in found.blocks}
    assert top[found.best.layer] == max(top.values()) and len(found.prominent) == 3
    own, twin = found.blocks[-1].answers.ranks["3cosadd"].kept, found.twin[-2].answers.ranks["3cosadd"].kept
    assert found.twin[-2].layer == found.blocks[-1].layer and not np.array_equal(own, twin)


def test_a_verdict_needs_the_whole_interval():
    verdicts = [verdict(Estimate(0.0, low, high)) for low, high in ((0.1, 0.2), (-0.1, 0.2), (-0.2, -0.1))]
    assert verdicts == ["adds", "not shown to add", "takes away"]


def test_an_example_is_shown_as_b_minus_a_plus_c():
    vectors = prepared(torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0], [1, -1, 1]]), "cosine")
    shown = _shown("a b c d".split(), vectors, tuple("abcdef"))
    assert (shown.query, shown.rank, shown.nearest[0]) == ("b - a + c", 1, "d")
    assert _shown("a b c z".split(), vectors, tuple("abcdef")) is None


class Few:
    """Static vectors of every word but one."""

    name, lacks = "few", ""

    def __call__(self, words):
        return {word: torch.randn(4) for word in words if word != self.lacks}


@pytest.mark.parametrize("side", ["first", "second"])
def test_a_pair_with_a_word_that_one_space_lacks_is_asked_of_none(tiny, side, monkeypatch):
    whole = asked(STUDY, tiny).analogies
    few = Few()
    few.lacks = getattr(whole, side)[0]
    study = AnalogiesStudy(data=STUDY.data, common=30)
    object.__setattr__(study, "static", few)
    left = asked(study, tiny)
    assert few.lacks not in left.analogies.words and few.lacks not in left.candidates
    assert len(left.static.vectors) == len(left.candidates)
    assert any("were left out for every space: few has no vector" in note for note in left.analogies.notes)
