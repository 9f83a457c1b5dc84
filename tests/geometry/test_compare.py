"""Measures of similarity against independent formulas, and two models side by side."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import invoke, quick

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Examples, Pairs
from latentmech.direction import Direction, Parts, covariance_directions, isotropic_directions, unit
from latentmech.errors import BadInput
from latentmech.geometry.compare import formulas, sides
from latentmech.geometry.compare.account import headline, notes
from latentmech.geometry.compare.drift import Classes, classes_in, drift, fitted, probed, problem, right
from latentmech.geometry.compare.effect import beside_random, changes, effect
from latentmech.geometry.compare.findings import TITLES, Against, CompareFindings
from latentmech.geometry.compare.measures import around, around_if_unbiased, half_samples, similarity
from latentmech.geometry.compare.settings import CompareSettings
from latentmech.geometry.compare.sides import counterparts
from latentmech.geometry.compare.study import CompareStudy, checkpoint
from latentmech.model import Hub, Level, Local, Model, Tokens, levels_of
from latentmech.statistics import auroc_of, difference, estimate, mean_of, ratio_of
from latentmech.steering import Stems
from latentmech.tensors import save_tensors

SMALL = quick("geometry=compare")
RNG = np.random.default_rng(0)


def drawn(seed, n=60, width=24, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    spread = scale ** torch.linspace(0, 1, width)
    return torch.randn(n, width, generator=generator) * spread + 5


def rotation(seed, width=24):
    return formulas.random_subspace(width, width, seed).float()


def alike(a, b, **settings):
    usual = {"k": 5, "components": 4, "shuffles": 3, "halves": 10, "draws": 100}
    clusters = settings.pop("clusters", np.arange(len(a)) // 3)
    return similarity(a, b, clusters, CompareSettings(**{**usual, **settings}, others=["other"]))


def hsic_by_hand(k, l):  # noqa: E741
    """Song et al. 2012, equation 5, as it is printed."""
    n, ones = len(k), np.ones(len(k))
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    cross = ones @ k @ l @ ones * 2 / (n - 2)
    both = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + both - cross) / (n * (n - 3))


def test_debiased_cka_is_the_direct_formula():
    a, b = drawn(0).double(), drawn(1, width=7).double() + drawn(0).double()[:, -7:]
    k, l = (a @ a.T).numpy(), (b @ b.T).numpy()  # noqa: E741
    expected = hsic_by_hand(k, l) / np.sqrt(hsic_by_hand(k, k) * hsic_by_hand(l, l))
    assert 0.1 < expected < 0.95
    assert formulas.debiased_cka(formulas.gram(a), formulas.gram(b)) == pytest.approx(expected, rel=1e-9)


def test_debiased_cka_of_unrelated_wide_states_is_near_zero_where_the_plain_one_is_not():
    pairs = [(drawn(2 * i, 40, 400, 1.0), drawn(2 * i + 1, 40, 400, 1.0)) for i in range(5)]
    grams = [(formulas.gram(a), formulas.gram(b)) for a, b in pairs]
    assert all(float((a * b).sum() / (a.norm() * b.norm())) > 0.8 for a, b in grams)
    assert abs(np.mean([formulas.debiased_cka(a, b) for a, b in grams])) < 0.05


def test_the_interval_of_cka_covers_what_more_rows_say():
    a = drawn(0, 1200)
    b = a + 12 * drawn(1, 1200)
    truth = formulas.debiased_cka(formulas.gram(a), formulas.gram(b))
    parts = [slice(at, at + 60) for at in range(0, 1200, 60)]
    found = [alike(a[part], b[part], clusters=np.arange(60), halves=40).own["cka"] for part in parts]
    assert sum(one.ci_low <= truth <= one.ci_high for one in found) >= 16  # of 20
    same = alike(a[:300], a[:300], clusters=np.arange(300), halves=5).own
    for name in ("cka", "procrustes", "subspace"):
        assert same[name].ci_low == pytest.approx(1) and same[name].ci_high == pytest.approx(1)


def in_documents(seed, n, size=8, width=16):
    """States of some documents' words and the same with noise; words and noise of one document are alike."""
    generator = torch.Generator().manual_seed(seed)
    spread = 3.0 ** torch.linspace(0, 1, width)
    a, noise = (
        (0.5 * torch.randn(n, 1, width, generator=generator) + torch.randn(n, size, width, generator=generator))
        for _ in range(2)
    )
    return (a * spread).reshape(-1, width), (a * spread + 4 * noise).reshape(-1, width)


@pytest.mark.parametrize("n", [2, 4, 12])
def test_the_interval_of_cka_covers_over_few_documents_too(n):
    a, b = in_documents(99, 300)
    truth = formulas.debiased_cka(formulas.gram(a), formulas.gram(b))
    covered = 0
    for seed in range(60):
        own, other = (formulas.gram(rows) for rows in in_documents(seed, n))
        halves = half_samples(np.arange(8 * n) // 8, 20, seed)
        parts = [formulas.debiased_cka(own[rows][:, rows], other[rows][:, rows]) for rows in halves]
        found = around(formulas.debiased_cka(own, other), parts, 8 * n, n)
        covered += found.ci_low <= truth <= found.ci_high
    assert covered >= 52  # of 60


def test_procrustes_has_an_interval_only_where_there_are_many_rows_for_its_dimensions():
    """Of twice as many rows in as many dimensions Procrustes of unrelated states says much less: that is its bias."""
    near = alike(drawn(0, 1200, 4), drawn(0, 1200, 4) + 6 * drawn(1, 1200, 4)).own["procrustes"]
    assert near.ci_low < near.value < near.ci_high < 1
    far = alike(drawn(0, 60, 100), drawn(1, 60, 100)).own["procrustes"]
    assert far.value > 0.8 and np.isnan(far.ci_low)


def test_halves_are_whole_documents():
    clusters = np.arange(60) // 3
    for kept in half_samples(clusters, 10, 0):
        assert len(kept) == 30 and len(set(clusters[kept].tolist())) == 10
    assert half_samples(np.zeros(60, dtype=np.int64), 10, 0) == [], "one document has no half"
    assert np.isnan(around(0.5, [], 60, 20).ci_low)
    off = around(0.5, [0.6, 0.62, 0.64], 60, 20)
    assert off.ci_high - 0.5 == pytest.approx(1.96 * np.sqrt((0.01 + 0.0144 + 0.0196) / 3))
    assert (off.kind, off.n, off.groups) == ("95% interval", 60, 20)
    assert around(0.5, [0.6, np.nan], 60, 20).kind == "", "a half without the measure"
    assert np.isnan(around_if_unbiased(0.5, [0.6, 0.62, 0.64], 60, 20).ci_low)
    assert np.isnan(around_if_unbiased(0.5, [0.4, 0.38, 0.36], 60, 20).ci_low), "biased downwards"
    spread = 0.1 * np.sqrt(2 / 3)
    for gap, biased in ((0.9 * spread, False), (1.1 * spread, True)):
        one = around_if_unbiased(0.6 + gap, [0.6, 0.7, 0.5], 60, 20)
        assert np.isnan(one.ci_low) == biased, "bias beyond the spread"
    assert around(0.99, [0.9], 60, 20).ci_high == 1, "no measure says more"


def test_neighbours_are_those_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    a, k = drawn(0), 5
    centred = (a - a.mean(0)).double().numpy()
    near = NearestNeighbors(n_neighbors=k, metric="cosine").fit(centred).kneighbors(return_distance=False)
    found = formulas.neighbours(a, k)
    assert all(set(row) == set(found[i].nonzero().flatten().tolist()) for i, row in enumerate(near))
    other = formulas.neighbours(drawn(1), k)
    by_hand = [len({*near[i]} & {*other[i].nonzero().flatten().tolist()}) / k for i in range(len(a))]
    assert formulas.shared(found, other).tolist() == pytest.approx(by_hand)


def test_procrustes_is_scipys():
    from scipy.linalg import orthogonal_procrustes

    a, b = drawn(0), drawn(1)
    x, y = ((rows - rows.mean(0)).double().numpy() for rows in (a, b))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    turn, _ = orthogonal_procrustes(y, x)
    left = np.linalg.norm(x - y @ turn) ** 2
    assert formulas.procrustes_distance(formulas.procrustes(a, b)) == pytest.approx(left)
    padded = torch.cat([b, torch.zeros(len(b), 9)], 1)
    assert formulas.procrustes(a, padded) == pytest.approx(formulas.procrustes(a, b))


def test_subspace_overlap_is_transformer_lens_projection_kernel():
    from sklearn.decomposition import PCA
    from transformer_lens.tools.analysis.projection_kernel import orthonormal_subspace, projection_kernel

    a, b = drawn(0), drawn(1)
    found = formulas.overlap(formulas.principal(a, 4), formulas.principal(b, 4))
    bases = [torch.from_numpy(PCA(4).fit(rows.double().numpy()).components_.T) for rows in (a, b)]
    axes = [orthonormal_subspace(basis) for basis in bases]
    assert found == pytest.approx(float(projection_kernel(*axes).normalized))
    draws = [formulas.overlap(formulas.principal(a, 4), formulas.random_subspace(24, 4, seed)) for seed in range(50)]
    assert np.mean(draws) == pytest.approx(4 / 24, abs=0.03)


def test_equal_states_give_one_in_every_measure():
    found = alike(drawn(0), drawn(0))
    assert set(found.own) == set(TITLES)
    for name, value in found.own.items():
        assert value.value == pytest.approx(1, abs=1e-9), name
        assert found.chance[name].ci_high < 0.75 and found.chance[name].kind == "range", name


def test_turned_shifted_and_scaled_states_are_equal_but_for_their_place():
    found = alike(drawn(0), 7 * drawn(0) @ rotation(3) - 2).own
    assert [found[name].value for name in ("cka", "knn", "procrustes")] == pytest.approx([1, 1, 1], abs=1e-4)
    assert formulas.procrustes_distance(found["procrustes"].value) < 1e-4
    assert found["subspace"].value < 0.6


def test_unrelated_states_are_at_chance():
    found = alike(drawn(0), drawn(1) @ rotation(5))
    for name, value in found.own.items():
        assert abs(value.value - found.chance[name].value) < 0.25, name


def test_states_of_other_width_have_no_common_subspace():
    assert set(alike(drawn(0), drawn(1, width=30)).own) == {"cka", "knn", "procrustes"}


class Halves:
    """Twenty positive and twenty negative rows in train and in test."""

    positive = np.arange(80) % 2 == 0
    split = np.array(["train"] * 40 + ["test"] * 40)
    group = np.arange(80) // 2

    @classmethod
    def classes(cls, rows):
        return Classes.of(Parts(cls.positive, cls.split, cls.group, np.zeros((0, 2), dtype=np.int64)), {"here": rows})


def test_a_direction_that_moved_reads_nothing_frozen_and_all_of_it_refitted():
    rows = drawn(0, 80, scale=1.0) + 4 * torch.from_numpy(Halves.positive)[:, None] * torch.eye(24)[0]
    own, turned, place = Halves.classes(rows), Halves.classes(rows @ rotation(1)), Level(0, "here")
    same = drift(own, place, own, place, 100, 0)
    assert same.cosine == pytest.approx(1) and same.loss.value == same.loss.ci_low == same.loss.ci_high == 0
    assert same.source == same.frozen == same.refitted
    moved = drift(own, place, turned, place, 100, 0)
    assert abs(moved.cosine) < 0.5
    assert moved.refitted.value == pytest.approx(same.source.value) and same.source.value > 0.95
    assert moved.loss.value == pytest.approx(moved.refitted.value - moved.frozen.value) and moved.loss.ci_low > 0
    assert moved.isotropic_p95 < moved.random_p95 < moved.refitted.value


def test_drift_is_by_hand_from_means_of_train_and_areas_on_test():
    from sklearn.metrics import roc_auc_score

    positive, test = Halves.positive, Halves.split == "test"
    rows = [drawn(seed, 80, scale=1.0) + torch.from_numpy(positive)[:, None] * step * torch.eye(24)[0]
            for seed, step in ((0, 0.9), (1, 0.5))]  # fmt: skip
    found = drift(*(each for own in rows for each in (Halves.classes(own), Level(0, "here"))), 200, 0)
    steps = [(own[positive & ~test].mean(0) - own[~positive & ~test].mean(0)).numpy() for own in rows]
    scores = [(rows[i][test].numpy() @ steps[j]) for i, j in ((0, 0), (1, 0), (1, 1))]
    source, frozen, refitted = (roc_auc_score(positive[test], own) for own in scores)
    assert [one.value for one in (found.source, found.frozen, found.refitted)] == pytest.approx(
        [source, frozen, refitted]
    )
    assert found.cosine == pytest.approx(
        steps[0] @ steps[1] / np.prod([np.linalg.norm(own) for own in steps]), abs=1e-5
    )
    nulls = {
        "random_p95": covariance_directions(rows[1][~test], 200, 0),
        "isotropic_p95": isotropic_directions(200, 24, 0),
    }
    for name, null in nulls.items():
        random = [roc_auc_score(positive[test], rows[1][test].numpy() @ own) for own in null.numpy()]
        assert getattr(found, name) == pytest.approx(np.percentile(np.maximum(random, 1 - np.array(random)), 95))
    truth, pairs = positive[test], np.arange(40) // 2
    frozen_scores, refitted_scores = (auroc_of(own.astype(float), truth, pairs) for own in scores[1:])
    by_pair = difference(refitted_scores, frozen_scores, 200, 0)
    assert found.loss.value == pytest.approx(refitted - frozen) and found.loss.groups == 20
    assert (found.loss.ci_low, found.loss.ci_high) == pytest.approx((by_pair.ci_low, by_pair.ci_high), abs=1e-6)


def test_a_difference_that_is_rounding_is_no_direction():
    rows = torch.ones(80, 24) + 3e-7 * torch.from_numpy(Halves.positive)[:, None]
    assert (
        not Halves.classes(rows).found["here"].any()
        and Halves.classes(rows * 9 + 1e-3 * (rows > 1)).found["here"].any()
    )


def test_a_saved_direction_has_the_length_that_its_file_says():
    own = Halves.classes(drawn(0, 80))
    vector = unit(torch.arange(24.0))
    both, none = {"here": vector, "away": vector}, {}
    norms = {"here": 7.0, "away": 1.0}
    means = {"positive_means": none, "negative_means": none, "resid_norms": none}
    saved = own.with_saved(Direction(hook_name="here", vectors=both, norms=norms, card=none, **means))
    assert set(saved.found) == {"here"} and torch.allclose(saved.found["here"], 7 * vector)


def steered(seed, effects, n=40):
    """Changes of `n` prompts around the given means, one vector a row."""
    noise = np.random.default_rng(seed).normal(0, 0.2, (len(effects), n))
    return np.array(effects)[:, None] + noise


def prompts(n=40):
    return [f"prompt {i}" for i in range(n)]


def test_the_share_of_an_effect_is_a_ratio_of_means_and_needs_an_effect():
    own, other = steered(0, [3.0])[0], steered(1, [1.0, 2.0, 1.5, 0.3, -0.4, 0.2, 0.1])
    dev = np.array([1.0, 2.0])
    found = effect(own, other, dev, 0.5, prompts(), 400, 0)
    assert found.kept.value == pytest.approx(other[0].mean() / other[1].mean())
    assert found.kept_turned.value == pytest.approx(other[2].mean() / other[1].mean())
    assert found.kept.ci_low < 0.5 < found.kept.ci_high and found.kept.ci_high - found.kept.ci_low < 0.1
    assert found.random_max == pytest.approx(-other[4].mean()) and found.source.value == pytest.approx(3, abs=0.1)
    assert found.isotropic_max == pytest.approx(other[5].mean()) and found.dev == 1.5
    assert found.turned.value == pytest.approx(other[2].mean())
    assert found.frozen.value == pytest.approx(other[0].mean()) and found.length == 0.5
    assert found.refitted == estimate(mean_of(other[1], np.argsort(np.argsort(prompts()))), 400, 0)
    assert found.kept == estimate(ratio_of(other[0], other[1], np.argsort(np.argsort(prompts()))), 400, 0)
    against = effect(own, -other, dev, 0.5, prompts(), 400, 0)
    assert against.kept.value == pytest.approx(found.kept.value) and against.refitted.value < 0


@pytest.mark.parametrize(
    "weak",
    [
        [1.0, 2.0, 1.0, 0.3, -2.1, 0.1, 0.1],  # a vector drawn from the covariance does as much, the other way
        [1.0, 2.0, 1.0, 0.1, 0.1, 0.3, 2.1],  # an isotropic one does
        [1.0, 0.01, 1.0, 0.0, 0.0, 0.0, 0.0],  # nothing is done
    ],
)
def test_no_share_is_given_of_an_effect_that_random_vectors_have(weak):
    unclear = effect(steered(0, [3.0])[0], steered(1, weak), np.ones(2), 0.5, prompts(), 400, 0)
    assert not unclear.clear and np.isnan(unclear.kept.value) and np.isnan(unclear.kept_turned.value)


def test_an_effect_is_clear_by_paired_differences():
    """Prompts differ so much that the intervals of both means overlap; on each of them the direction does more."""
    hard = np.random.default_rng(3).normal(0, 3, 40)
    other = 2 + steered(1, [1.0, 1.0, 1.0, 0.2, 0.2, 0.2, 0.2]) + hard
    found = effect(other[1], other, np.ones(2), 1.0, prompts(), 400, 0)
    assert found.clear and found.refitted.ci_low < found.random_max
    one = effect(other[1], other, np.ones(2), 1.0, ["a"] * 40, 400, 0)
    assert not one.clear and one.refitted.kind == "", "one group has no interval"
    two = effect(other[1], other, np.ones(2), 1.0, ["a", "b"] * 20, 400, 0)
    assert two.refitted.kind == "95% interval" and two.refitted.groups == 2


def test_changes_are_those_of_one_prompt_run_alone(tiny):
    trials = Stems(prompts=["one two", "a longer beginning", "x"], towards=["good"], away=["bad"])(tiny, None, "test")
    name, vectors = "blocks.1.hook_resid_post", torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    (found,) = changes(tiny, trials, [(name, vectors)])
    assert found.shape == (2, 2)
    for prompt, text in enumerate(trials.texts):
        ids = torch.tensor(
            [[tiny.tokenizer.bos_token_id, *tiny.tokenizer(text, add_special_tokens=False)["input_ids"]]]
        )
        scores = []
        for vector in (torch.zeros(32), *vectors):
            with tiny.bridge.hooks(fwd_hooks=[(name, lambda resid, hook, v=vector: resid + v)]):
                logits = tiny.bridge(ids, return_type="logits")[0, -1]
            chances = logits.log_softmax(-1)
            scores.append(float(chances[trials.towards[0][0]] - chances[trials.away[0][0]]))
        assert found[:, prompt] == pytest.approx(np.array(scores[1:]) - scores[0], abs=1e-4)


def test_what_is_added_beside_a_direction_has_its_length():
    frozen, refitted = torch.randn(2, 24, generator=torch.Generator().manual_seed(0)) * torch.tensor([[9.0], [2.0]])
    added = beside_random(frozen, refitted, torch.eye(24)[:5])
    assert torch.equal(added[:2], torch.stack([frozen, refitted]))
    assert added[2:].norm(dim=1).tolist() == pytest.approx([float(refitted.norm())] * 6)
    assert float(torch.cosine_similarity(added[2], frozen, 0)) == pytest.approx(1)


def test_levels_of_a_shallower_model_stand_for_several():
    deep, shallow = levels_of(6), levels_of(3)
    assert [other.layer for _, other in counterparts(deep, shallow)] == [None, None, 0, 1, 1, 1, 2]
    assert [other for _, other in counterparts(shallow, shallow)] == list(shallow)


def test_a_saved_direction_takes_the_place_of_the_models_own(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    code, _, err = invoke("direction=sentiment", *quick("direction"), "direction.name=saved", "hydra.run.dir=found")
    assert code == 0, err
    (-Direction.load("found/directions/saved.safetensors")).save("flipped.safetensors")
    saved = ["geometry.direction=flipped.safetensors", "geometry.contrast.name=sentiment"]
    code, out, err = invoke("geometry=compare", *SMALL, *saved, "geometry.chat_template=false", "hydra.run.dir=here")
    assert code == 0, err
    metrics = json.loads((tmp_path / "here" / "metrics.json").read_text())
    own = {name: metrics[f"geometry/compare/layer_01/{name}"] for name in ("direction/cosine", "effect/length")}
    assert own == {"direction/cosine": pytest.approx(-1), "effect/length": pytest.approx(1)}
    assert "direction is flipped.safetensors" in out
    monkeypatch.setattr(Model, "bridge", property(lambda self: pytest.fail("weights were loaded")))
    other = ["+model.source.seed=3", "model.name=other", "hydra.run.dir=there"]
    code, _, err = invoke("geometry=compare", *SMALL, *other, *saved)
    assert code == 3 and "was found in tiny, not in other" in err


def with_labels(problem, turn, path):
    """States in which the class of a word is a coordinate, turned; as activations on disk."""
    labels = torch.from_numpy(problem.labels)
    rows = torch.randn(int(problem.rows.max()) + 1, 24, generator=torch.Generator().manual_seed(0))
    rows[torch.from_numpy(problem.rows)] += 5 * torch.eye(24)[labels]
    save_tensors(path, {"row": torch.arange(len(rows)), "here": rows @ turn}, {})
    return Activations(("here",), len(rows), 24, (path,))


def test_a_frozen_probe_reads_nothing_in_a_turned_space_and_all_of_it_in_the_same(examples, tmp_path):
    asked, place = problem(examples, "pos", 0), (Level(0, "here"),)
    own = with_labels(asked, torch.eye(24), tmp_path / "own.safetensors")
    turned = with_labels(asked, rotation(1), tmp_path / "turned.safetensors")
    probes = [fitted(asked, states, place, "")[place[0]] for states in (own, turned)]
    source, frozen, refitted = (
        right(asked, states, place[0], probe)
        for states, probe in ((own, probes[0]), (turned, probes[0]), (turned, probes[1]))
    )
    same = probed(asked, [source, source, source], 100, 0)
    assert same.source == same.frozen == same.refitted and same.source.value > 0.85 and same.loss.value == 0
    moved = probed(asked, [source, frozen, refitted], 100, 0)
    assert moved.frozen.value < 0.5 and moved.refitted.value == pytest.approx(moved.source.value, abs=0.05)
    assert moved.loss.value == pytest.approx(moved.refitted.value - moved.frozen.value)
    assert moved.majority < 0.3 and moved.loss.n == len(source)


def test_what_a_probe_loses_is_counted_over_test_words_and_resampled_by_document():
    """Forty documents of three words; the commonest label of train is a rare one of dev and of test."""
    names, parts = tuple(f"d{i}" for i in range(40)), ("train",) * 10 + ("dev",) * 10 + ("test",) * 20
    tags = {"train": ("NOUN", "NOUN", "VERB"), "dev": ("VERB", "NOUN", "VERB"), "test": ("VERB", "NOUN", "VERB")}
    examples = Examples(
        ids=names, texts=("a b c",) * 40, groups=names, splits=parts, spans=(((0, 1), (2, 3), (4, 5)),) * 40,
        columns={"upos": tuple(tags[part] for part in parts)}, word_columns=frozenset({"upos"}),
    )  # fmt: skip
    asked = problem(examples, "pos", 0)
    test = asked.units.split == "test"
    refitted = RNG.random(test.sum()) < 0.9
    frozen = refitted & (asked.units.group[test] % 2 == 0)  # wrong in every second document
    found = probed(asked, [refitted, frozen, refitted], 200, 0)
    assert found.loss.value == pytest.approx((refitted.sum() - frozen.sum()) / test.sum()) and found.loss.value > 0.2
    documents = np.unique(asked.units.group[test], return_inverse=True)[1]
    expected = difference(*(mean_of(own.astype(float), documents, 0, 1) for own in (refitted, frozen)), 200, 0)
    assert (found.loss.ci_low, found.loss.ci_high) == pytest.approx((expected.ci_low, expected.ci_high))
    assert found.loss.groups == 20 and found.loss.kind == "95% interval"
    assert found.majority == pytest.approx(1 / 3)


def effect_at(refitted, dev, rivals=0.2, n=40):
    """An effect whose frozen vector keeps half; random vectors do `rivals`."""
    other = steered(int(10 * refitted), [refitted / 2, refitted, refitted / 2, rivals, -rivals, rivals / 2, 0])
    return effect(other[1], other, np.full(2, dev), 1.0, prompts(n), 200, 0)


def findings_of(effects, examples):
    same, blocks = alike(drawn(0), drawn(0)), levels_of(len(effects))[1:]
    other = Against(
        name="other", matched=dict(zip(blocks, blocks, strict=True)), alike=dict.fromkeys(blocks, same), drifts={},
        effects=dict(zip(blocks, effects, strict=True)), probed={}, other_levels=blocks, cka=torch.eye(len(blocks)),
        same=False,
    )  # fmt: skip
    words = sides.CommonWords(np.arange(60), np.arange(60), ("w",) * 60, 0)
    settings = CompareSettings(others=["other"], probe=None, random=2, halves=4)
    return CompareFindings(settings=settings, examples=examples, words=words, others=[other], twin=None, warnings=())


def test_the_block_of_the_headline_is_chosen_on_other_prompts(tiny, examples):
    found = findings_of([effect_at(5.0, 0.3), effect_at(2.0, -4.0), effect_at(3.0, 1.0)], examples=examples)
    said = headline(found, tiny)
    assert "Added at block 1, where it does most on other prompts" in said
    assert "shown to do more than random vectors at 3 of 3 blocks" in said
    (chosen,) = [own for level, own in found.others[0].effects.items() if level.layer == 1]
    assert f"moves the log-odds by {chosen.refitted:+.2f} nats; random vectors reach {chosen.random_max:.2f}" in said
    assert f"Of this the frozen one keeps {chosen.kept:.2f}" in said and chosen.kept.value == pytest.approx(
        0.5, abs=0.1
    )


def test_no_share_is_said_of_a_block_whose_effect_is_not_clear(tiny, examples):
    found = findings_of([effect_at(5.0, 0.3), effect_at(2.0, -4.0, rivals=2.5)], examples=examples)
    said = headline(found, tiny)
    assert "Added at block 1" in said and "not shown to be more than random vectors do" in said
    assert "it is shown at 1 of 2 blocks" in said and "keeps" not in said
    assert f"and {max(own.random_max for own in found.others[0].effects.values()):.2f} at their best block" in said
    (note,) = [note for note in notes(found, tiny) if "no share" in note]
    assert "at 1 of 2 blocks" in note


def test_prompts_of_one_group_are_said_to_give_no_interval(tiny, examples):
    one = effect_at(5.0, 0.3)
    alone = effect(np.ones(4), np.ones((7, 4)), np.ones(2), 1.0, ["a"] * 4, 100, 0)
    assert any("The prompts are one group" in note for note in notes(findings_of([alone], examples=examples), tiny))
    assert not any("one group" in note for note in notes(findings_of([one], examples=examples), tiny))


def test_the_study_measures_on_test_prompts_and_chooses_on_dev(tiny):
    other = replace(tiny, source=replace(tiny.source, seed=3), name="other")
    beginnings = [f"{word} is" for word in ("one", "it", "there", "she", "that", "who", "what", "he", "this")]
    stems = Stems(prompts=beginnings, towards=["good"], away=["bad"])
    asked = CompareStudy(
        other=other, data=Corpus(limit=300), words=60, contrast=Pairs(name="sentiment", limit=60), probe=None,
        trials=stems, random=2, random_init=False, shuffles=1, halves=0, draws=100, chat_template=False,
    )  # fmt: skip
    found = asked.find(tiny, ActivationStore())
    (against,) = found.others
    classes = classes_in(other, ActivationStore(), asked.contrast(), levels_of(3), False)
    level, own = list(against.effects.items())[1]
    vector = classes.found[level.hook_name]
    for split, value in (("test", own.refitted.value), ("dev", own.dev)):
        (change,) = changes(other, stems(other, None, split), [(level.hook_name, vector[None])])
        assert value == pytest.approx(change.mean(), abs=1e-6), split
    assert own.refitted.n == own.refitted.groups == 6 and len(against.effects) == 3
    unseen = covariance_directions(classes.train(level), 2, 0) * vector.norm()
    (change,) = changes(other, stems(other, None, "test"), [(level.hook_name, unseen)])
    assert own.random_max == pytest.approx(np.abs(change.mean(1)).max(), abs=1e-6)


def test_words_that_share_a_token_with_something_else_are_left_out(monkeypatch, tiny):
    texts = ("I don't go", "Go now, you")
    spans = (((0, 1), (2, 4), (4, 7), (8, 10)), ((0, 2), (3, 6), (6, 7), (8, 11)))
    columns = {"ids": ("a", "b"), "groups": ("a", "b"), "splits": ("", "")}
    examples = Examples(texts=texts, spans=spans, source="here", **columns)
    starts = tuple(map(np.array, ([0, 1, 7], [0, 2, 6, 7])))  # "I", " don't", " go"; "Go", " now", ",", " you"
    ends = tuple(map(np.array, ([1, 7, 10], [2, 6, 7, 11])))
    tokens = Tokens(starts, starts, ends, (0, 0))
    monkeypatch.setattr(sides, "tokenise", lambda *_: tokens)
    assert sides.in_own_tokens(tiny, examples).tolist() == [True, False, False, True, *[True] * 4]
    with pytest.raises(BadInput, match="4 word forms of here stand in tokens of their own in tiny; expected at least"):
        sides.common_words([tiny], examples, 50, 0)
    monkeypatch.setattr(sides, "FEWEST", 1)
    found = sides.common_words([tiny, tiny], examples, 50, 0)
    assert found.rows.tolist() == [3, 5, 6, 7] and found.clusters.tolist() == [0, 1, 1, 1] and found.apart == 2


def test_each_form_stands_for_itself_once(tiny, examples):
    found = sides.common_words([tiny], examples, 60, 0)
    assert len(found.forms) == len(set(found.forms)) == len(found.rows) == 60
    flat = [word for i in range(len(examples)) for word in examples.words(i)]
    assert tuple(flat[row] for row in found.rows) == found.forms


def test_the_command_with_a_model_and_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke("geometry=compare", *SMALL)
    assert code == 0, err
    (run,) = Path().glob("runs/geometry-compare/*")
    metrics = json.loads((run / "metrics.json").read_text())
    for name in TITLES:
        assert metrics[f"geometry/compare/{name}"] == pytest.approx(1, abs=1e-6)
        assert metrics[f"geometry/compare/random_init/{name}"] < 0.9
        kind = "random_subspace" if name == "subspace" else "shuffled"
        assert metrics[f"geometry/compare/layer_01/{kind}/{name}"] < 0.9
    assert metrics["geometry/compare/layer_02/procrustes_distance"] == pytest.approx(0, abs=1e-6)
    assert metrics["geometry/compare/layer_02/direction/cosine"] == pytest.approx(1)
    assert metrics["geometry/compare/layer_02/direction/loss"] == 0
    assert "have the same weights" in out and "picked by the test texts themselves" in out
    said = (run / "methods.md").read_text()
    for words in ("drawn from the covariance of the states", "chosen on other prompts", "@turner2023", "half-samples"):
        assert words in said
    for level in ("layer_00", "layer_02"):  # of one model with itself, frozen is refitted
        own = {n: metrics[f"geometry/compare/{level}/effect/{n}"] for n in ("source", "frozen", "refitted", "length")}
        assert own.pop("length") == 1 and set(own.values()) == {own["frozen"]} and own["frozen"] != 0
    for level in ("embed", "layer_02"):
        own = {n: metrics[f"geometry/compare/{level}/probe/{n}"] for n in ("source", "frozen", "refitted")}
        assert set(own.values()) == {own["frozen"]} and own["frozen"] > 0
        twin = {n: metrics[f"geometry/compare/random_init/{level}/probe/{n}"] for n in ("source", "frozen", "refitted")}
        assert twin["source"] == own["source"] and twin["frozen"] < min(twin["refitted"], own["frozen"])
    assert {"levels.png", "matrix.png", "drift.png", "effect.png", "probes.png"} <= {
        file.name for file in (run / "figures").iterdir()
    }


def test_the_command_with_checkpoints(tmp_path, monkeypatch):
    from latentmech.model import Tiny

    monkeypatch.chdir(tmp_path)
    own = {f"step_{n}": Tiny(n_layers=n, d_model=d, seed=1)().folder for n, d in ((2, 32), (5, 16))}
    for name, folder in own.items():
        Path(name).symlink_to(folder)
    code, out, err = invoke("geometry=compare", *SMALL, "geometry.others=[step_2,step_5]", "geometry.random_init=false")
    assert code == 0, err
    (run,) = Path().glob("runs/geometry-compare/*")
    metrics = json.loads((run / "metrics.json").read_text())
    assert {f"geometry/compare/{name}/cka" for name in own} <= set(metrics)
    assert "Mean CKA over the levels of tiny: step_2 0." in out
    assert "another number of blocks" in out and "the width differs" in out


def test_a_checkpoint_is_a_folder_or_a_revision_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a@b").mkdir()
    assert checkpoint("a@b").source == Local(path="a@b")
    remote = checkpoint("org/pythia@step1000")
    assert remote.name == "pythia@step1000" and remote.source == Hub(name="org/pythia", revision="step1000")
    for place in ("nowhere/step_1", "@step_1", "org/pythia@"):
        with pytest.raises(BadInput, match="is not there; name folders of checkpoints, or organisation/model@revision"):
            checkpoint(place)


def test_a_checkpoint_out_of_reach_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = invoke("geometry=compare", *SMALL, "geometry.others=[org/pythia@step1000]")
    assert code == 4 and err.count("\n") == 1 and "org/pythia@step1000 is neither cached nor reachable" in err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "geometry.other is not set"),
        ({"others": "here"}, "expected a list of folders"),
        ({"others": ["a/last", "b/last"]}, "are not all different"),
        ({"others": ["here"], "words": 5}, "geometry.words=5 is too small; expected at least 30"),
        ({"others": ["here"], "k": 50}, "geometry.k=50 is too large"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(BadInput, match=message):
        CompareSettings(**settings)
