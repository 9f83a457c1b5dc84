"""The atlas: pairs of mentions, scores under common draws, where gain lies, and a run with rows of one's own."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from commands import FAST, invoke

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.model import Level, says, tokenise
from latentmech.probe import AtlasStudy
from latentmech.probe.atlas.next_token import _Following
from latentmech.probe.atlas.order import arrival, order_in_words
from latentmech.probe.atlas.pairing import PAIRINGS, paired
from latentmech.probe.atlas.resampling import Resampled, resampled
from latentmech.probe.atlas.row import AtlasRow
from latentmech.probe.atlas.sources import Sources
from latentmech.probe.atlas.subject import labelled
from latentmech.probe.atlas.words import spelled
from latentmech.probe.ridge import ridge
from latentmech.probe.sample import sample_of_level
from latentmech.statistics import bootstrap, bootstrap_mean, f1, not_worse_than_best

LEVELS = [Level(None, "embed"), *(Level(i, f"block {i}") for i in range(10))]
RNG = np.random.default_rng(0)


def test_the_features_of_a_pair_are_what_they_are_called():
    mentions = torch.randn(50, 2, 4) * 3 + 7
    a, b = ((mentions - mentions[:30].flatten(0, 1).mean(0)) / mentions[:30].flatten(0, 1).std(0, correction=0)).unbind(
        1
    )
    wanted = {"product": a * b, "difference": (a - b).abs(), "concatenation": torch.cat([a, b], 1)}
    for pairing in PAIRINGS:
        torch.testing.assert_close(paired(mentions, pairing, mentions[:30]), wanted[pairing], rtol=1e-4, atol=1e-4)


def test_agreement_is_in_the_product_and_not_in_the_concatenation():
    mentions = torch.from_numpy(RNG.choice([-1.0, 1.0], (600, 2, 5))).float()
    agree = (mentions[:, 0, 0] == mentions[:, 1, 0]).long()
    scores = {}
    for pairing in PAIRINGS:
        features = paired(mentions, pairing, mentions[:400])
        sample = sample_of_level(features, torch.arange(400), torch.arange(400, 600))
        solution = ridge(sample, agree[None, :400], 2, torch.full((1, 1), 0.1))
        scores[pairing] = float((solution.logits(sample.dev[0], 0).argmax(1) == agree[400:]).float().mean())
    assert scores["product"] == scores["difference"] == 1 and scores["concatenation"] < 0.65, scores


def test_scores_and_intervals_are_those_of_the_plain_bootstrap():
    labels, clusters = RNG.integers(0, 2, 300), np.sort(RNG.integers(0, 40, 300))
    clusters = np.unique(clusters, return_inverse=True)[1]
    answers = [np.where(RNG.random(300) < p, labels, 1 - labels) for p in (0.9, 0.6, 0.88)]
    both = resampled(answers, labels, clusters, "accuracy", 500)
    right = np.stack([a == labels for a in answers]).astype(float)
    for i in range(3):
        assert vars(both.estimate(i)) == pytest.approx(vars(bootstrap_mean(right[i], clusters, 500)))
    assert both.not_worse(0, range(3)) == not_worse_than_best(right, clusters, 500)
    positive = labels == 1
    plain = bootstrap(lambda w: f1(answers[1] == 1, positive, w), clusters, 500)
    assert vars(resampled(answers, labels, clusters, "f1", 500).estimate(1)) == pytest.approx(vars(plain))
    gap = both.difference(0, 2)
    assert gap.value == pytest.approx(right[0].mean() - right[2].mean())
    assert gap.ci_high - gap.ci_low < sum(both.estimate(i).ci_high - both.estimate(i).ci_low for i in (0, 2))


def made_row(name, stage, dev, test_gain=0.2, noise=0.01):
    """A row with these dev scores over a baseline of 0.5."""
    values = np.array([*dev, 0.5])
    draws = values + noise * np.random.default_rng(len(name)).standard_normal((200, len(values)))
    test = np.array([0.5 + test_gain, 0.5, 0.5])
    scored = Resampled(test, test + noise * RNG.standard_normal((200, 3)), 100, 9)
    return AtlasRow(
        name=name, stage=stage, unit="word", metric="accuracy", source="made", n_train=9, levels=LEVELS,
        dev=Resampled(values, draws, 100, 9), test=scored,
        readers=["probe", "embed", "majority"], baselines=["majority"],
    )  # fmt: skip


def step(at, high=0.9):
    """Nothing below the level, all of it from there on."""
    return np.where(np.arange(11) < at, 0.5, high)


def test_a_task_arrives_where_its_gain_appears():
    assert arrival(made_row("a", "syntax", step(2), noise=0)).value == pytest.approx(0.2)
    assert arrival(made_row("a", "syntax", step(8), noise=0)).value == pytest.approx(0.8)
    assert arrival(made_row("a", "syntax", step(0), noise=0)).value == 0, "the embedding holds it"
    fallen = np.where(np.arange(11) < 5, step(2), 0.4)
    assert arrival(made_row("a", "syntax", fallen, noise=0)).value == pytest.approx(0.2), "later losses do not count"
    below = np.where(np.arange(11) < 2, 0.2, 0.9)
    assert arrival(made_row("a", "syntax", below, noise=0)).value == pytest.approx(0.2), "nor do earlier ones"
    half = np.maximum(step(2, 0.7), step(6))
    assert arrival(made_row("a", "syntax", half, noise=0)).value == pytest.approx(0.4)
    noisy = arrival(made_row("a", "syntax", step(5)))
    assert noisy.ci_low < noisy.ci_high
    assert np.isnan(arrival(made_row("a", "syntax", step(5), test_gain=0)).value), "no gain on test, no place"
    assert np.isnan(arrival(made_row("a", "syntax", step(5), test_gain=0.01)).value), "nor one within its interval"


def test_a_gain_is_over_the_strongest_baseline():
    """Which is another one on dev than on test."""
    dev = Resampled(np.array([0.6, 0.9, 0.5, 0.7]), RNG.random((50, 4)), 100, 9)
    test = Resampled(np.array([0.9, 0.6, 0.8, 0.5]), RNG.random((50, 4)), 100, 9)
    row = replace(
        made_row("a", "syntax", step(1)[:2]), levels=LEVELS[:2], dev=dev, test=test,
        readers=["probe", "embed", "majority", "lookup"], baselines=["majority", "lookup"],
    )  # fmt: skip
    assert (row.best, row.floor, row.rival) == (1, 3, "majority")
    assert row.gains == pytest.approx([-0.1, 0.2]) and row.gain.value == pytest.approx(0.1)
    np.testing.assert_allclose(row.gain_draws, dev.draws[:, :2] - dev.draws[:, [3]])
    alone = replace(dev, groups=1)
    assert np.isnan(alone.estimate(0).ci_low) and not np.isnan(dev.estimate(0).ci_low)


def test_the_famous_order_is_found_where_it_is_and_denied_where_it_is_not():
    def told(syntax, semantics, output, **gain):
        stages = zip(("syntax", "semantics", "output"), (syntax, semantics, output), strict=True)
        return order_in_words([made_row(stage, stage, step(at), **gain) for stage, at in stages])

    assert "holds for this model, as an order. Mean depth of arrival" in told(2, 5, 9)
    assert "does not hold for this model: semantics does not clearly come after syntax" in told(5, 2, 9)
    assert "does not hold" in told(5, 5, 9) and "output does not clearly come after semantics" in told(1, 9, 4)
    assert "cannot be told here: no task of syntax, semantics, output gains" in told(2, 5, 9, test_gain=0)


def test_levels_are_spelled_as_runs():
    assert spelled(LEVELS, [0, 1, 2, 3, 5, 9, 10]) == "embed, 0–2, 4, 8–9"
    assert spelled(LEVELS, [4]) == "3"


def test_the_lens_says_what_the_model_says(tiny):
    texts = ["the small dog barks", "a bird sings in the tree"]
    tokens = tokenise(tiny, texts, texts)
    for ids in tokens.ids:
        batch = torch.from_numpy(ids)[None]
        logits = tiny.bridge(batch, return_type="logits")[0]
        _, cache = tiny.bridge.run_with_cache(batch)
        states = cache["blocks.2.hook_resid_post"][0]
        assert says(tiny, states, logits.argmax(-1)).all()
        assert not says(tiny, states, logits.argmin(-1)).any()


def test_the_next_token_is_the_one_after_the_word(tiny, examples):
    following = _Following(tiny, examples)
    text = examples.texts[0]
    first = examples.spans[0][0]
    assert tiny.tokenizer.decode([following.token[0]]) == text[first[1]]
    assert following.token[len(examples.spans[0]) - 1] == -1, "the last word has none"
    train = following.rows_in("train")
    asked = np.flatnonzero(following.split == "dev")
    table = following.surface(asked)
    common = Counter(following.token[train].tolist()).most_common(1)[0][0]
    assert set(table["majority"]) == {common}
    the = next(i for i in asked if following.form[i] == "the")
    assert tiny.tokenizer.decode([table["lookup"][list(asked).index(the)]]) == " "


class Counting(ActivationStore):
    """A store that remembers what it was asked."""

    def get(self, model, examples, levels, position="word_last"):
        asked.append((model.random_init, examples.source, position))
        return super().get(model, examples, levels, position)


asked: list = []


def test_tasks_on_one_treebank_share_their_activations(tiny):
    asked.clear()
    words = ("pos", "number", "tense", "proper_noun", "entity")
    study = AtlasStudy(tasks=words, data=Corpus(limit=900), draws=100, control_seeds=1)
    report = study(tiny, Counting())
    assert sorted(asked) == [(False, "bundled treebank", "word_last"), (True, "bundled treebank", "word_last")]
    assert {f"probe/{task}/gain" for task in words} <= set(report.metrics)
    score, control = (report.metrics[f"probe/pos/{name}test/accuracy"] for name in ("", "control_task/"))
    assert report.metrics["probe/pos/selectivity"] == pytest.approx(score - control)
    place = report.metrics["probe/pos/best_depth"]
    if place > 0:
        assert report.tables["tasks"].frame["peak"][0] == str(int(place) - 1)


def test_a_treebank_without_names_takes_them_from_the_bundled_one(tmp_path, tiny):
    bare = tmp_path / "bare.conllu"
    bare.write_text(
        "".join(
            f"# newdoc id = {i}\n1\tdogs{i}\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2\trun\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n"
            for i in range(9)
        )
    )
    sources = Sources(AtlasStudy(tasks=("pos", "entity"), data=Corpus(path=bare)))
    assert [s.examples.source for s in sources.subjects()] == [str(bare), "bundled treebank"]
    assert "entity is read from the bundled treebank" in sources.notes[0]


def write_own(folder):
    """A word task that the word gives away, a text task, and two sets of mention pairs."""
    words = [
        {"words": [f"red{i % 5}", f"seven{i % 3}"], "kind": ["colour", "number"], "group": f"g{i}"} for i in range(30)
    ]
    texts = [{"text": f"{'good' if i % 2 else 'bad'} thing number {i}", "label": "ab"[i % 2]} for i in range(40)]
    pairs = [
        {"marked": f"[Ann{i}] met Bo and [{'she' if i % 2 else 'he'}] left.", "label": "yn"[i % 2]} for i in range(30)
    ]
    for name, rows in {"kind": words, "texts": texts, "pairs": pairs}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


SMALL = ["probe.data.limit=900", "probe.draws=100", "probe.coreference.limit=200", "probe.sentiment.limit=80"]
SMALL += ["probe.truth.limit=100", "probe.next_tokens=60", "probe.control_seeds=1"]


def test_a_run_with_rows_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_own(tmp_path)
    own = ["probe.extra={kind: kind.jsonl, mine: texts.jsonl, formality: formality}"]
    own += ["probe.transfer={coreference: [pairs.jsonl]}", "hydra.run.dir=out"]
    code, out, err = invoke("probe=atlas", *FAST, *SMALL, *own)
    assert code == 0, err
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    rows = pd.read_parquet(tmp_path / "out/results.parquet")
    assert len(rows) == len(metrics)
    for task in (
        "pos",
        "number",
        "sentiment",
        "truth",
        "coreference_product",
        "next_token",
        "kind",
        "mine",
        "formality",
    ):
        assert {f"probe/{task}/gain", f"probe/{task}/best_depth", f"probe/{task}/embed/gain"} <= set(metrics), task
    assert metrics["probe/kind/embed/dev/accuracy"] == 1, "a word gives itself away"
    assert metrics["probe/kind/lookup/test/accuracy"] == 1 and metrics["probe/kind/gain"] <= 0
    assert metrics["probe/mine/bag_of_words/test/accuracy"] == 1
    assert "probe/proper_noun/test/f1" in metrics and "probe/pos/random_init/test/accuracy" in metrics
    assert {"probe/coreference_product@pairs/gain", "probe/coreference_product/transfer/own/pairs/accuracy"} <= set(
        metrics
    )
    here = metrics["probe/coreference_product/transfer/pairs/pairs/accuracy"]
    assert here == metrics["probe/coreference_product@pairs/test/accuracy"], "the diagonal is the row's own score"
    for name in ("atlas", "shape", "transfer_coreference_product"):
        assert (tmp_path / f"out/figures/{name}.png").stat().st_size > 10_000
    assert "pos peaks at" in out and "Syntax early, semantics in the middle, output late" in out.replace("\n", " ")


def test_what_the_words_give_away_is_subtracted(tiny, tmp_path):
    write_own(tmp_path)
    study = AtlasStudy(tasks=(), extra={"kind": str(tmp_path / "kind.jsonl")}, draws=100, random_init=False, shuffles=0)
    report = study(tiny, ActivationStore())
    table = report.tables["levels"].frame
    assert table["layer"].tolist() == ["baseline", "embed", "0", "1", "2"]
    assert table["kind"].tolist() == pytest.approx(
        [
            1.0,
            *[
                report.metrics[f"probe/kind/{at}/dev/accuracy"] - 1
                for at in ("embed", "layer_00", "layer_01", "layer_02")
            ],
        ]
    )
    assert any("Switched off by setting: random-init twin" in note for note in report.notes)
    assert replace(study, seed=1)(tiny, ActivationStore()).metrics["probe/kind/lookup/dev/accuracy"] == 1


def test_a_task_arrives_at_its_depth_whatever_levels_are_measured():
    few = replace(made_row("a", "syntax", step(1)[:3], noise=0), levels=[LEVELS[0], LEVELS[2], LEVELS[10]])
    assert arrival(few).value == pytest.approx(0.2)


def test_texts_that_a_transferred_probe_has_seen_are_counted(tiny, tmp_path):
    for name, groups in (("mine", "a"), ("other", "b")):
        rows = [{"positive": f"good {i}", "negative": f"bad {i}", "group": f"{groups}{i}"} for i in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mine, other = (str(tmp_path / f"{name}.jsonl") for name in ("mine", "other"))
    study = AtlasStudy(tasks=("sentiment",), sentiment=Pairs(path=mine), transfer={"sentiment": [other]}, draws=100)
    report = replace(study, random_init=False)(tiny, ActivationStore())
    (note,) = (note for note in report.notes if "test texts of other are training texts of own" in note)
    parts = {name: labelled(Pairs(path=path)()) for name, path in (("own", mine), ("other", other))}
    texts = {name: [t for t, at in zip(e.texts, e.splits, strict=True) if at == part]
             for (name, e), part in zip(parts.items(), ("train", "test"), strict=True)}  # fmt: skip
    known = len(set(texts["own"]) & set(texts["other"]))
    assert 0 < known < len(texts["other"]) and f"{known} of {len(texts['other'])} test texts" in note


def test_classes_are_the_same_by_name_and_not_by_number(tiny, tmp_path):
    """The other set calls its bad texts otherwise: they cannot be answered right."""
    own = [{"positive": f"good {i}", "negative": f"bad {i}", "group": f"a{i}"} for i in range(40)]
    other = [{"text": f"{word} {i}", "label": label, "group": f"b{i}"}
             for i in range(40, 80) for word, label in (("good", "positive"), ("bad", "awful"))]  # fmt: skip
    for name, rows in (("own", own), ("other", other)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = AtlasStudy(
        tasks=("sentiment",),
        sentiment=Pairs(path=str(tmp_path / "own.jsonl")),
        transfer={"sentiment": [str(tmp_path / "other.jsonl")]},
        text_position="mean",
        random_init=False,
        draws=100,
    )
    metrics = study(tiny, ActivationStore()).metrics
    assert metrics["probe/sentiment/transfer/own/own/accuracy"] > 0.9
    assert metrics["probe/sentiment/transfer/own/other/accuracy"] <= 0.5
