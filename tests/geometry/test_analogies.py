"""The analogies study as a whole, on the tiny model: gains, the best block, the words that every space has."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.data import WordPairs
from latentmech.data.analogies import Analogies, all_questions
from latentmech.geometry import AnalogiesStudy
from latentmech.geometry.analogies.account import headline, notes
from latentmech.geometry.analogies.findings import RIVALS, AnalogiesFindings, SpaceResult
from latentmech.geometry.analogies.offsets import SpaceAnswers
from latentmech.geometry.analogies.questions import AnswerRanks, Asked, asked
from latentmech.geometry.analogies.settings import AnalogiesSettings
from latentmech.geometry.analogies.study import shown_analogy
from latentmech.geometry.similarity import prepared
from latentmech.model import Model, Tiny, WordVectors
from latentmech.statistics import difference, mean_of

STUDY = AnalogiesStudy(data=WordPairs(limit=4), static=None, common=30, random_draws=2, draws=100)


@pytest.fixture(scope="module")
def found(tiny):
    return STUDY.find(tiny, ActivationStore())


def test_a_gain_is_the_offset_minus_no_offset_pair_by_pair(found):
    for result in found.of_model:
        for method, rival in (("3cosadd", "no_offset"), ("3cosmul", "no_offset"), ("mean_offset", "no_offset_alone")):
            own, other = (result.answers.ranks[name].per_pair("top1") for name in (method, rival))
            tallies = (mean_of(values, found.questions.clusters, 0, 1) for values in (own, other))
            gain = found.over_none(result, method).difference
            assert gain == difference(*tallies, 100) and gain.value == pytest.approx((own - other).mean())
        number = found.questions.names.index("capital")
        own = result.answers.ranks["3cosadd"].per_pair("top1")[found.questions.relation.numpy() == number]
        assert found.estimate(result, "3cosadd", relation=number).value == pytest.approx(own.mean())


def test_the_best_block_is_the_best_and_the_twin_is_another_model(found):
    top = {r.layer: found.estimate(r, "3cosadd").value for r in found.blocks}
    assert top[found.best.layer] == max(top.values()) and len(found.prominent) == 3
    own, twin = found.blocks[-1].answers.ranks["3cosadd"].kept, found.twin[-2].answers.ranks["3cosadd"].kept
    assert found.twin[-2].layer == found.blocks[-1].layer and not np.array_equal(own, twin)


def test_what_is_switched_off_is_named(tiny):
    bare = replace(STUDY, common=0, random_draws=0, random_init=False, examples=(), layers=[0])
    said = bare(tiny, ActivationStore()).notes
    for name in ("static vectors", "random offsets", "random-init twin", "common words among the candidates"):
        assert f"Switched off by setting: {name}." in said
    assert not any("common words" in note for note in STUDY(tiny, ActivationStore()).notes)


RIGHT, WRONG = 1, 9  # ranks


def findings_of(ranks, random=None, n_blocks=1):
    """Findings in which every block has these ranks, ten pairs of one relation each asked once."""
    pairs = tuple(f"w{i}" for i in range(10))
    analogies = Analogies(
        first=pairs,
        second=tuple(f"v{i}" for i in range(10)),
        relation=("r",) * 10,
        questions=all_questions(("r",) * 10),
    )
    words = Asked(analogies, analogies.words, 0, None)
    every = {name: ranks.get(name, [WRONG] * 10) for rivals in RIVALS.items() for name in (rivals[0], *rivals[1])}
    every = {name: AnswerRanks(np.array(r), np.array(r), np.arange(10)) for name, r in every.items()}
    answers = SpaceAnswers(every, {"3cosadd": np.array(random or np.zeros((0, 10)), dtype=bool)})
    results = [SpaceResult(f"layer_{i:02d}", str(i), i, "state", answers) for i in range(n_blocks)]
    return AnalogiesFindings(settings=AnalogiesSettings(draws=100), asked=words, results=results, twin=[])


def test_an_offset_adds_something_only_if_it_beats_every_rival():
    good, half = [RIGHT] * 9 + [WRONG], [RIGHT, WRONG] * 5
    for ranks, random, verdict in (
        ({"3cosadd": good}, [[False] * 10], "adds"),
        ({"3cosadd": good, "no_offset": good}, None, "not shown to add"),
        ({"3cosadd": good, "only_b": good}, None, "not shown to add"),
        ({"3cosadd": good}, [[True] * 10], "not shown to add"),
        ({"3cosadd": half, "no_offset": good}, None, "takes away"),
        ({"3cosadd": half, "no_offset": half[::-1]}, None, "not shown to add"),
    ):
        found = findings_of(ranks, random)
        assert found.verdict(found.results[0], "3cosadd") == verdict, ranks
    said = headline(findings_of({"3cosadd": good, "only_b": good}), Model(name="tiny", source=Tiny()))
    assert "it is not shown to add anything (+0.90" in said and "is not shown to beat only b 0.900" in said


def test_over_many_blocks_adding_something_takes_more():
    """Six of ten against none: clear for one block, and not for 40 at once."""
    some = [RIGHT] * 6 + [WRONG] * 4
    assert findings_of({"3cosadd": some}).over_blocks("3cosadd")["adds"] == [0]
    many = findings_of({"3cosadd": some}, n_blocks=40)
    assert many.verdict(many.results[3], "3cosadd") == "adds"
    said = " ".join(notes(many, Model(name="tiny", source=Tiny())))
    assert "is not shown to add anything at 0-39 (all 40 blocks at once, by Holm's correction)" in said
    said = headline(many, Model(name="tiny", source=Tiny()))
    assert "is not shown to add anything" in said and "may be luck among 40 blocks (Holm's correction)" in said
    assert many.at_best("3cosadd") == "not shown to add" and findings_of({"3cosadd": some}).at_best("3cosadd") == "adds"
    assert many.over_blocks("3cosadd") == {"adds": [], "takes away": [], "not shown to add": list(range(40))}


def test_an_example_is_shown_as_b_minus_a_plus_c():
    vectors = prepared(torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0], [1, -1, 1]]), "cosine")
    shown = shown_analogy("a b c d".split(), vectors, tuple("abcdef"))
    assert (shown.query, shown.rank, shown.nearest[0]) == ("b - a + c", 1, "d")
    assert shown_analogy("a b c z".split(), vectors, tuple("abcdef")) is None


@dataclass(frozen=True)
class Few(WordVectors):
    """Static vectors of every word but one."""

    lacks: str = ""
    name = "few"

    def __call__(self, words):
        return {word: torch.randn(4) for word in words if word != self.lacks}


@pytest.mark.parametrize("side", ["first", "second"])
def test_a_pair_with_a_word_that_one_space_lacks_is_asked_of_none(tiny, side, monkeypatch):
    whole = asked(tiny, STUDY, None).analogies
    few = Few(lacks=getattr(whole, side)[0])
    study = AnalogiesStudy(data=STUDY.data, common=30, static=few)
    left = asked(tiny, study, few)
    assert few.lacks not in left.analogies.words and few.lacks not in left.candidates
    assert len(left.static.vectors) == len(left.candidates)
    assert any("were left out for every space: few has no vector" in note for note in left.analogies.notes)
