"""The atlas: pairs of mentions, what counts as shown, where gain lies, and a run with rows of one's own."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from commands import FAST, invoke

from latentmech.activations import ActivationStore
from latentmech.data import TASKS, Corpus, Pairs, Task
from latentmech.model import Level, says, tokenise
from latentmech.probe import METHODS, AtlasSettings, AtlasStudy
from latentmech.probe.atlas.account import gains_in_words, order_in_words, row_in_words, spelled
from latentmech.probe.atlas.findings import AtlasFindings, AtlasRow, AtlasStage, arrivals, mean_arrival
from latentmech.probe.atlas.next_token import NextTokens
from latentmech.probe.atlas.settings import PAIRINGS
from latentmech.probe.atlas.sources import Sources, examples_of
from latentmech.probe.atlas.subject import paired
from latentmech.probe.methods import ridge
from latentmech.probe.sample import sample_of
from latentmech.probe.solution import Targets
from latentmech.statistics import mean_of

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
        sample = sample_of(features, torch.arange(400), torch.arange(400, 600))
        solution = ridge(sample, Targets(agree[None, :400], 2), torch.tensor([0.1]))
        scores[pairing] = float((solution.logits(sample.dev).argmax(1) == agree[400:]).float().mean())
    assert scores["product"] == scores["difference"] == 1 and scores["concatenation"] < 0.65, scores


def score(value, noise=0.0, groups=40, seed=0):
    """A mean over groups of that value; the groups differ by noise, in the same way for the same seed."""
    rng = np.random.default_rng(seed)
    around = rng.standard_normal(groups)
    around = (around - around.mean()) / max(around.std(), 1e-9)
    return mean_of(np.full(groups, float(value)) + noise * around, np.arange(groups), 0, 1)


def made_row(name, stage, dev, gain=0.2, noise=0.0, groups=40, **others):
    """A row with these dev scores over a baseline of 0.5, and that gain over it on test."""
    return AtlasRow(
        name=name, stage=stage, unit="word", metric="accuracy", source="made", n_train=9, levels=LEVELS[: len(dev)],
        documents=[f"{name} {i:03d}" for i in range(groups)],
        dev=[score(value, noise, groups, seed) for seed, value in enumerate(dev)],
        surface={"majority": score(0.5, groups=groups)},
        test={"probe": score(0.5 + gain, noise, groups, 99), "embed": score(0.4, groups=groups),
              "majority": score(0.5, groups=groups)},
        **others,
    )  # fmt: skip


def found(*rows):
    return AtlasFindings(model="made", rows=rows, transfers=[], data=[], method="ridge", site="resid_post", twin_step=3)


def step(at, high=0.9):
    """Nothing below the level, all of it from there on."""
    return np.where(np.arange(11) < at, 0.5, high)


def test_a_task_arrives_where_its_gain_appears():
    assert made_row("a", "syntax", step(2)).arrival.value == pytest.approx(0.2)
    assert made_row("a", "syntax", step(8)).arrival.value == pytest.approx(0.8)
    assert made_row("a", "syntax", step(0)).arrival.value == 0, "the embedding holds it"
    fallen = np.where(np.arange(11) < 5, step(2), 0.4)
    assert made_row("a", "syntax", fallen).arrival.value == pytest.approx(0.2), "later losses do not count"
    below = np.where(np.arange(11) < 2, 0.2, 0.9)
    assert made_row("a", "syntax", below).arrival.value == pytest.approx(0.2), "nor do earlier ones"
    half = np.maximum(step(2, 0.7), step(6))
    assert made_row("a", "syntax", half).arrival.value == pytest.approx(0.4)
    noisy = made_row("a", "syntax", step(5), noise=0.2).arrival
    assert noisy.ci_low < noisy.value < noisy.ci_high and noisy.groups == 40


def test_whether_a_task_has_arrived_is_decided_on_dev():
    assert made_row("a", "syntax", step(5), gain=0).has_arrived, "test has no say"
    assert not made_row("a", "syntax", step(11), gain=0.3).has_arrived, "nor here"
    assert np.isnan(made_row("a", "syntax", step(11), gain=0.3).arrival.value)
    assert not made_row("a", "syntax", step(5), groups=1).has_arrived, "one document shows nothing"
    twin = {LEVELS[0]: score(0.5), LEVELS[1]: score(0.95)}
    assert not made_row("a", "syntax", step(5), twin=twin).has_arrived, "fresh weights do as well"
    words = {"majority": score(0.5), "lookup": score(0.9)}
    assert not replace(made_row("a", "syntax", step(5)), surface=words).has_arrived, "nor where the word gives it away"


def test_a_task_that_gains_at_the_best_of_many_levels_by_luck_has_not_arrived():
    """One level of eleven is ahead by p = 0.01: that happens by chance in one of ten tasks."""
    p_near = 2.42 / np.sqrt(39)  # gain over standard deviation that a t test over 40 groups gives p = 0.01
    dev = np.where(np.arange(11) == 4, 0.5 + 0.1 * p_near, 0.3)
    assert not made_row("a", "syntax", dev, noise=0.1).has_arrived
    assert made_row("a", "syntax", dev[4:5], noise=0.1).has_arrived, "with a single level it is what it seems"


def test_a_gain_is_over_every_rival_that_lacks_the_information():
    row = made_row("a", "syntax", step(5), gain=0.3, noise=0.1)
    assert found(row).shown == [row] and row.nearest.rival == "majority"
    assert row.nearest.difference.value == pytest.approx(0.3)
    as_good = score(0.79, 0.1, seed=7)
    for rival in ("embed", "random_init", "lookup"):
        rivalled = replace(row, test={**row.test, rival: as_good})
        assert found(rivalled).shown == [] and rivalled.nearest.rival == rival
    for control in ("control_task", "shuffled"):
        rivalled = replace(row, controls={control: [score(0.78, 0.1, seed=7), score(0.8, 0.1, seed=8)]})
        assert found(rivalled).shown == [] and rivalled.nearest.rival == control
        assert rivalled.control(control).value == pytest.approx(0.79)
    easy = replace(row, controls={"control_task": [score(0.6, 0.1, seed=7), score(0.5, 0.1, seed=8)]})
    assert found(easy).shown == [easy]
    assert easy.selectivity.value == pytest.approx(0.25) and easy.selectivity.ci_low > 0
    assert np.isnan(row.selectivity.value)


def test_the_count_of_tasks_is_corrected_among_them():
    """Each row is ahead by p = 0.01, clearly by itself; two of them still are, for one needs 0.0125; three are not."""
    ahead = 2.42 / np.sqrt(39)
    rows = [made_row(name, "syntax", step(5), gain=0.1 * ahead, noise=0.1) for name in "abc"]
    assert all(row.nearest.clear for row in rows)
    assert [len(found(*rows[:n]).shown) for n in (1, 2, 3)] == [1, 2, 0]
    assert "0 of 3 tasks can be read from made better than without it." in gains_in_words(found(*rows))
    assert "2 of 2 tasks can be read from made better than without it (a, b)." in gains_in_words(found(*rows[:2]))


def test_rows_over_few_groups_are_not_counted_and_that_is_said():
    many, few = (
        made_row(name, "syntax", step(5), gain=0.3, noise=0.1, groups=n) for name, n in (("many", 10), ("few", 9))
    )
    both = found(many, few)
    assert both.counted == [many] and both.shown == [many]
    assert gains_in_words(both) == (
        "1 of 1 tasks can be read from made better than without it (many). "
        "Not counted, for fewer than 10 groups on test: few."
    )
    assert few.equals is None and many.equals == [5, 6, 7, 8, 9, 10]
    assert "too few groups on dev (9) to tell which levels are worse" in row_in_words(few)
    assert gains_in_words(found(few)) == (
        "No task has 10 groups on test, so none can be said to be read better than without made."
    )
    alone = made_row("alone", "syntax", step(5), groups=1)
    assert not alone.on_test["probe"].kind and np.isnan(alone.on_test["probe"].ci_low)


def test_a_sentence_names_all_that_stand_in_the_way():
    row = made_row("a", "syntax", step(5), gain=0.3, noise=0.1)
    said = row_in_words(row)
    assert "it beats the strongest rival (majority class 0.500, difference +0.300" in said
    assert said.endswith(" and the weaker rival.")
    lookup = replace(
        row, test={**row.test, "lookup": score(0.85, 0.1, seed=7), "random_init": score(0.79, 0.1, seed=8)}
    )
    said = row_in_words(lookup)
    assert "it is not shown to beat commonest tag of the word 0.850, difference -0.050" in said
    assert said.endswith("; nor probe of the random-init twin.")


def test_a_gain_on_dev_is_over_the_strongest_answer_there():
    row = made_row("a", "syntax", [0.6, 0.9])
    row = replace(row, surface={"majority": score(0.5), "lookup": score(0.7)})
    assert row.best == 1 and row.gains == pytest.approx([-0.1, 0.2])
    assert row.gain_at(0).value == pytest.approx(-0.1)


def told(syntax, semantics, output, **row):
    stages = zip(("syntax", "semantics", "output"), (syntax, semantics, output), strict=True)
    row = {"noise": 0.05} | row
    return order_in_words(found(*(made_row(stage, stage, step(at), **row) for stage, at in stages)))


def test_the_famous_order_is_found_where_it_is_and_denied_where_it_is_not():
    assert "holds for this model, as an order. Mean depth of arrival on dev" in told(2, 5, 9, gain=0)
    assert "does not hold for this model: semantics does not clearly come after syntax" in told(5, 2, 9)
    assert "semantics does not clearly come after syntax" in told(4, 5, 9, noise=0.4), "deeper, but not clearly"
    assert "does not hold" in told(5, 5, 9) and "output does not clearly come after semantics" in told(1, 9, 4)
    assert "cannot be told here: no task of syntax, semantics, output is shown to gain on dev" in told(11, 11, 11)


def test_stages_over_few_documents_are_not_said_to_follow_one_another():
    """In four of five documents semantics comes three blocks after syntax, in one of them a block before it."""

    def stage(name, places):
        dev = [mean_of(np.where(np.array(places) <= at, 0.9, 0.5), np.arange(5), 0, 1) for at in range(11)]
        row = replace(made_row(name, name, step(5), groups=5), dev=dev, documents=list("abcde"))
        return AtlasStage(name, [row])

    early, late = stage("syntax", [2, 2, 2, 2, 2]), stage("semantics", [5, 5, 5, 5, 1])
    delay = early.delay(late)
    draws = RNG.multinomial(5, np.full(5, 0.2), 500).astype(float)
    gaps = late.place(late.documents).by(draws) - early.place(early.documents).by(draws)
    assert np.mean(gaps > 0) > 0.95, "what a percentile bootstrap is sure of"
    assert delay.value == pytest.approx(0.22) and not delay.ci_low > 0 and delay.groups == 5
    assert found(*early.rows, *late.rows).not_after() == [], "neither has been shown to arrive"


def test_a_stage_of_several_sets_arrives_at_the_mean_over_the_documents_of_each():
    first, second = score(0.2, 0.1, 3, 1), score(0.6, 0.1, 2, 2)
    mean = mean_arrival([(first, ["a", "c", "d"]), (second, ["b", "d"])], ["a", "b", "c", "d"])
    weights = np.array([[1.0, 0, 2, 0], [3, 1, 0, 1]])
    wanted = (first.by(weights[:, [0, 2, 3]]) + second.by(weights[:, [1, 3]])) / 2
    assert mean.groups == 4 and mean.value == pytest.approx(0.4)
    np.testing.assert_allclose(mean.by(np.ones((1, 4))), 0.4)
    np.testing.assert_allclose(mean.by(weights)[1], wanted[1])


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
    following = NextTokens(tiny, examples)
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
    some = following.rows_in("dev")
    assert following.by_tables(some)["majority"].value == pytest.approx(np.mean(following.token[some] == common))


def test_the_head_reads_the_residual_stream_alone(tiny):
    def rows_of(site):
        study = AtlasStudy(tasks=("tense", "next_token"), site=site, data=Corpus(limit=900), draws=100, next_tokens=40)
        result = replace(study, random_init=False, control_seeds=0).find(tiny, ActivationStore())
        return [row.name for row in result.rows], result.notes

    assert rows_of("attn_out") == (["tense"], ["No next token: the head does not read attn_out."])
    assert rows_of("resid_mid") == (["tense", "next_token"], [])


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
    sources = Sources(asked=AtlasSettings(data=Corpus(path=bare), tasks=("pos", "entity")), model=tiny)
    assert [s.examples.source for s in sources.subjects()] == [str(bare), "bundled treebank"]
    assert "entity is read from the bundled treebank" in sources.notes[0]
    twice = Sources(asked=replace(sources.asked, tasks=("pos",), transfer={"pos": [str(bare)]}), model=tiny)
    assert [(row.name, row.task.stage) for row in twice.subjects()] == [("pos", "syntax"), ("pos@bare", "own")]


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
    assert metrics["probe/kind/embed/dev/balanced_accuracy"] == 1, "a word gives itself away"
    assert metrics["probe/kind/lookup/test/balanced_accuracy"] == 1 and metrics["probe/kind/gain"] <= 0
    assert metrics["probe/mine/bag_of_words/test/balanced_accuracy"] == 1
    assert {"probe/proper_noun/test/f1", "probe/proper_noun/test/balanced_accuracy"} <= set(metrics)
    assert {"probe/pos/random_init/test/accuracy", "probe/pos/lead/random_init"} <= set(metrics)
    assert metrics["probe/proper_noun/majority/test/balanced_accuracy"] == 0.5
    across = "probe/coreference_product/transfer/{}/pairs/balanced_accuracy".format
    assert {"probe/coreference_product@pairs/gain", across("own")} <= set(metrics)
    here = metrics["probe/coreference_product@pairs/test/balanced_accuracy"]
    assert metrics[across("pairs")] == here, "the diagonal is the row's own score"
    for name in ("atlas", "shape", "transfer_coreference_product"):
        assert (tmp_path / f"out/figures/{name}.png").stat().st_size > 10_000
    assert "pos peaks at" in out and "Syntax early, semantics in the middle, output late" in " ".join(out.split())


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
                report.metrics[f"probe/kind/{at}/dev/balanced_accuracy"] - 1
                for at in ("embed", "layer_00", "layer_01", "layer_02")
            ],
        ]
    )
    assert any("Switched off by setting: random-init twin" in note for note in report.notes)
    assert replace(study, seed=1)(tiny, ActivationStore()).metrics["probe/kind/lookup/dev/balanced_accuracy"] == 1


def test_a_task_arrives_at_its_depth_whatever_levels_are_measured():
    few = [LEVELS[0], LEVELS[2], LEVELS[10]]
    np.testing.assert_allclose(arrivals(few, np.array([[0, 0.4, 0.4], [0, 0, 0.2], [-0.1, 0, 0]])), [0.2, 1, np.nan])


@pytest.mark.parametrize("name", ["verb_form", "finite"])
def test_a_new_task_is_a_row_by_itself(name, monkeypatch, tiny):
    """Nothing but an entry of `TASKS`: its stage and what a capital letter says of it are its own."""
    verbs = {"upos": ("VERB", "AUX")}
    made = {
        "verb_form": Task("verb_form", "VerbForm", keep=verbs, stage="syntax"),
        "finite": Task("finite", "VerbForm", keep=verbs, positive="Fin", stage="semantics", capital=True),
    }
    monkeypatch.setitem(TASKS, name, made[name])
    assert name in AtlasSettings().tasks and AtlasSettings().tasks[-1] == "next_token"
    study = AtlasStudy(tasks=(name,), data=Corpus(limit=900), draws=100, random_init=False, control_seeds=0)
    (row,) = study.find(tiny, ActivationStore()).rows
    assert row.stage == made[name].stage
    assert ("lookup_capitalised" in row.surface) == made[name].capital
    assert row.metric == ("balanced_accuracy" if name == "finite" else "accuracy")


def test_a_single_place_may_stand_without_its_list():
    assert AtlasSettings(transfer={"truth": "truth", "pos": []}).further() == {"truth": ["truth"], "pos": []}


def test_methods_are_those_of_the_room():
    for name in METHODS:
        assert AtlasSettings(method=name).method == name


def test_what_is_always_answered_is_no_gain(tmp_path, tiny):
    """Four of five labels are yes and mean nothing: every answer that is always yes is worth one half."""
    rng = np.random.default_rng(0)
    rows = [{"text": f"word{rng.integers(50)} {i}", "label": "y" if i % 5 else "n"} for i in range(120)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = AtlasStudy(tasks=(), extra={"mine": str(tmp_path / "mine.jsonl")}, draws=100, twin_step=2)
    result = study.find(tiny, ActivationStore())
    (row,) = result.rows
    assert [level.tick for level in row.twin] == ["embed", "0", "2"]
    assert row.metric == "balanced_accuracy" and row.test["majority"].value == row.test["always_positive"].value == 0.5
    assert row.also["majority"]["accuracy"].value > 0.7, "which accuracy would have praised"
    assert result.counted == [row] and result.shown == []


def test_texts_that_a_transferred_probe_has_seen_are_counted(tiny, tmp_path):
    for name, groups in (("mine", "a"), ("other", "b")):
        rows = [{"positive": f"good {i}", "negative": f"bad {i}", "group": f"{groups}{i}"} for i in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mine, other = (str(tmp_path / f"{name}.jsonl") for name in ("mine", "other"))
    study = AtlasStudy(tasks=("sentiment",), sentiment=Pairs(path=mine), transfer={"sentiment": [other]}, draws=100)
    report = replace(study, random_init=False)(tiny, ActivationStore())
    (note,) = (note for note in report.notes if "test texts of other are training texts of own" in note)
    parts = {name: examples_of(Pairs(path=path)) for name, path in (("own", mine), ("other", other))}
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
    assert metrics["probe/sentiment/transfer/own/own/balanced_accuracy"] > 0.9
    assert metrics["probe/sentiment/transfer/own/other/balanced_accuracy"] <= 0.5
