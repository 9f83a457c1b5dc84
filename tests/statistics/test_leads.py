"""The one rule for "beats", in numbers and in words."""

import numpy as np

from latentmech.statistics import beats, closest, estimate, holm, leads, mean_of, verdict

CLUSTERS = np.repeat(np.arange(12), 20)


def reader(share, seed):
    return mean_of((np.random.default_rng(seed).random(240) < share) * 1.0, CLUSTERS, 0, 1)


def test_all_rivals_have_to_be_beaten_and_the_one_in_the_way_is_named():
    own, weak, near = reader(0.9, 0), reader(0.5, 1), reader(0.88, 2)
    assert beats(leads(own, {"weak": weak}))
    found = leads(own, {"weak": weak, "near": near})
    assert not beats(found) and closest(found).rival == "near"
    assert [lead.rival for lead in found] == ["near", "weak"]
    assert verdict(found).startswith("is not shown to beat near") and "weak" not in verdict(found)


def test_every_rival_in_the_way_is_named():
    own = reader(0.7, 0)
    said = verdict(leads(own, {"length": reader(0.9, 1), "first word": reader(0.71, 2), "majority": reader(0.3, 3)}))
    assert "length" in said and "first word" in said and "majority" not in said


def test_what_beats_names_the_strongest_rival_with_its_difference():
    own, rival = reader(0.9, 0), reader(0.5, 1)
    (lead,) = leads(own, {"look-up": rival})
    said = verdict([lead])
    assert said.startswith("beats the strongest rival (look-up")
    assert f"{lead.value:.3f}" in said and f"{lead.difference.value:+.3f} [" in said
    assert "and the 2 weaker rivals" in verdict(leads(own, {str(i): reader(0.3, i) for i in (1, 2, 3)}))


def test_a_rival_with_the_same_score_is_not_beaten_and_one_far_above_is_ahead():
    own = reader(0.6, 0)
    (same,) = leads(own, {"same": own})
    assert not same.clear and same.p == 1.0
    (above,) = leads(own, {"above": reader(0.95, 1)})
    assert above.behind and not above.clear


def test_without_groups_or_rivals_nothing_is_beaten():
    one = mean_of(np.ones(9), np.zeros(9, dtype=np.int64), 0, 1)
    none = mean_of(np.zeros(9), np.zeros(9, dtype=np.int64), 0, 1)
    found = leads(one, {"nothing": none})
    assert not beats(found) and verdict(found).startswith("cannot be shown to beat anything")
    assert not beats([]) and verdict([]) == "has nothing beside it to beat"


def test_noise_is_said_to_beat_no_more_often_than_the_interval_allows():
    said = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        own, majority = ((rng.random(240) < 0.5) * 1.0 for _ in range(2))
        said += beats(leads(mean_of(own, CLUSTERS, 0, 1), {"majority": mean_of(majority, CLUSTERS, 0, 1)}))
    assert said <= 11  # one rival, 2.5 %: five are expected


def test_several_claims_are_corrected_by_holm():
    assert holm([0.001, 0.02, 0.5]).tolist() == [True, False, False]
    assert holm([0.001, 0.012, 0.5]).tolist() == [True, True, False]
    assert holm([0.02]).tolist() == [True]


def test_an_estimate_prints_its_interval_and_gives_its_cells():
    one = estimate(reader(0.9, 0))
    assert f"{one:.2f}" == f"{one.value:.2f} [{one.ci_low:.2f}, {one.ci_high:.2f}]"
    assert f"{one}" == f"{one:.3f}"
    assert one.cells("f1") == {"f1": one.value, "f1 low": one.ci_low, "f1 high": one.ci_high}
    assert list(one.cells("f1", "low", "high")) == ["f1", "low", "high"]


def test_a_rival_without_an_interval_does_not_hide_the_others():
    one = mean_of(np.ones(9), np.zeros(9, dtype=np.int64), 0, 1)
    none = mean_of(np.zeros(9), np.zeros(9, dtype=np.int64), 0, 1)
    found = [*leads(one, {"one group": none}), *leads(reader(0.9, 0), {"close": reader(0.89, 1)})]
    assert verdict(found).startswith("is not shown to beat one group 0.000, no interval over so few groups; close")
