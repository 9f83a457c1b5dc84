"""The logit lens: its last level is the model, its numbers are the definitions, its nulls are what they should be."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import invoke, quick

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.errors import BadInput
from latentmech.geometry.lens import study
from latentmech.geometry.lens.account import headline, text_table
from latentmech.geometry.lens.findings import LensFindings
from latentmech.geometry.lens.next_token import (
    METRICS,
    LensReadings,
    TokenPlaces,
    _shape,
    _told,
    cosines,
    places_in,
    readings,
    unigram,
)
from latentmech.geometry.lens.settings import TEXT, LensSettings
from latentmech.geometry.lens.study import LensStudy
from latentmech.model import embedding, levels_of, read_out, unembedding
from latentmech.statistics import Estimate, difference, estimate, leads, mean_of

SMALL = quick("geometry=lens")
TEXTS = ("a short one", "then a longer text", "and two more")
LEVELS = levels_of(3)


@pytest.fixture(scope="module")
def texts():
    ids = ("x", "y", "z")
    return Examples(ids=ids, texts=TEXTS, groups=("g", "h", "h"), splits=("",) * 3, source="here")


@pytest.fixture(scope="module")
def places(tiny, texts):
    return places_in(tiny, texts, LEVELS)


def test_every_token_but_the_first_and_the_last_is_a_place(tiny, texts, places):
    ids = {i: [0, *tiny.tokenizer(text)["input_ids"]] for i, text in enumerate(TEXTS)}
    expected = sorted((row[at], row[at + 1]) for row in ids.values() for at in range(1, len(row) - 1))
    assert sorted(zip(places.ids.tolist(), places.targets.tolist(), strict=True)) == expected
    assert np.bincount(places.clusters).tolist() == [len(ids[0]) - 2, len(ids[1]) + len(ids[2]) - 4]


def test_the_last_level_is_the_model_itself(tiny, places):
    found = readings(tiny, places, 0)
    said = {}
    for text in TEXTS:
        ids = torch.tensor([[0, *tiny.tokenizer(text)["input_ids"]]])
        logits = tiny.bridge(ids)[0].double().log_softmax(-1)
        said |= {(text, at): (int(ids[0, at]), int(ids[0, at + 1]), logits[at]) for at in range(1, ids.shape[1] - 1)}
    losses = sorted(-float(logits[target]) for _, target, logits in said.values())
    ranks = sorted(int((logits > logits[target]).sum()) for _, target, logits in said.values())
    entropies = sorted(float(-(p.exp() * p).sum()) for _, _, p in said.values())
    assert sorted(found.own["log_loss"][-1]) == pytest.approx(losses, abs=1e-4)
    assert sorted(found.own["rank"][-1]) == ranks
    assert sorted(found.own["entropy"][-1]) == pytest.approx(entropies, abs=1e-4)
    assert found.own["kl"][-1] == pytest.approx(np.zeros(len(losses)), abs=1e-5)
    assert found.own["agreement"][-1].all()


def test_every_level_is_read_through_the_final_norm(tiny, places):
    hf = tiny.bridge.original_model
    state = places.states[1, :4]
    norm, head = hf.transformer.ln_f, hf.lm_head
    norm, head = (getattr(part, "original_component", part) for part in (norm, head))
    by_hand = head(norm(state)).log_softmax(-1)
    torch.testing.assert_close(read_out(tiny, state), by_hand, rtol=1e-4, atol=1e-4)
    found = readings(tiny, places, 0)
    last = read_out(tiny, places.states[-1, :4]).double()
    kl = (last.exp() * (last - by_hand)).sum(1)
    assert found.own["kl"][1, :4] == pytest.approx(kl.detach().numpy(), abs=1e-5) and kl.min() > 0
    assert set(found.own) == set(METRICS) and (found.top[1, :4] == by_hand.argmax(1).numpy()).all()


def test_shuffled_targets_are_those_of_other_places(tiny, places):
    found = readings(tiny, places, 0)
    assert not np.allclose(found.own["log_loss"], found.shuffled["log_loss"])
    same = replace(places, targets=torch.full_like(places.targets, 7))
    alike = readings(tiny, same, 0)
    np.testing.assert_array_equal(alike.own["log_loss"], alike.shuffled["log_loss"])


def test_kl_is_from_the_last_level_and_ranks_count_from_one():
    said, last = torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([[0.1, 0.1, 0.8]]).log()
    by_hand = 0.1 * np.log(0.1 / 0.7) + 0.1 * np.log(0.1 / 0.2) + 0.8 * np.log(0.8 / 0.1)
    assert float(_shape(said, last)["kl"]) == pytest.approx(by_hand, abs=1e-6)
    told = {name: float(value) for name, value in _told(said, torch.tensor([1])).items()}
    assert told == pytest.approx({"log_loss": -np.log(0.2), "accuracy": 0, "reciprocal_rank": 0.5, "rank": 1})


def test_unigrams_are_counted_in_other_texts(tiny, places):
    train = Examples(ids=("t",), texts=("eee t",), groups=("t",), splits=("train",), source="here")
    found = unigram(tiny, train, replace(train, texts=("zzz",)), places)  # all is new: adding most is best
    e, t = (tiny.tokenizer(letter)["input_ids"][0] for letter in "et")
    losses = {int(i): v for i, v in zip(places.targets, found["log_loss"], strict=True)}
    vocab = len(unembedding(tiny))
    assert losses[e] == pytest.approx(np.log((vocab + 5) / 4), abs=1e-5)
    assert losses[t] == pytest.approx(np.log((vocab + 5) / 2), abs=1e-5)
    assert (found["accuracy"] == (places.targets == e).numpy()).all()
    sure = unigram(tiny, train, train, places)["log_loss"]  # nothing is new: adding least is best
    assert sure[places.targets == e] == pytest.approx(np.log((0.003 * vocab + 5) / 3.003), abs=1e-5)


def test_cosines_tell_a_tokens_own_row_from_others():
    table = torch.randn(50, 16, generator=torch.Generator().manual_seed(0)) + 3
    out = torch.randn(50, 16, generator=torch.Generator().manual_seed(1)) + 3
    ids, targets = torch.arange(40), torch.arange(40) + 5
    states = torch.stack([table[ids], out[targets]]) + torch.tensor([9, -30])[:, None, None]  # each its own centre
    places = TokenPlaces(ids, targets, np.zeros(40, dtype=np.int64), states)
    found, random = cosines(places, table, out, 0)
    assert found["own_embedding"].mean(1) == pytest.approx([1, 0], abs=0.12)
    assert found["next_unembedding"].mean(1) == pytest.approx([0, 1], abs=0.12)
    assert found["own_unembedding"].mean(1) == pytest.approx([0, 0], abs=0.12)
    assert all(abs(grid.mean()) < 0.12 for grid in random.values())
    assert set(cosines(places, table, table, 0)[0]) == {"own_embedding", "next_unembedding"}


def test_tables_are_those_of_the_checkpoint(tiny):
    from safetensors.torch import load_file

    weights = load_file(next(tiny.checkpoint.folder.glob("*.safetensors")))
    torch.testing.assert_close(embedding(tiny).cpu(), weights["transformer.wte.weight"])
    torch.testing.assert_close(unembedding(tiny).cpu(), weights["transformer.wte.weight"])  # GPT-2 ties them


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke("geometry=lens", *SMALL, "geometry.layers=[0]", "geometry.text=so it is")
    assert code == 0, err
    (run,) = Path().glob("runs/geometry-lens/*")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["geometry/lens/layer_02/kl"] == pytest.approx(0, abs=1e-5)
    for control in ("shuffled/layer_00", "random_init/layer_00", "unigram"):
        assert f"geometry/lens/{control}/log_loss" in metrics
    assert "geometry/lens/cosine/random/embed/own_embedding" in metrics
    assert "at no level" in out
    assert "exceeds that of token frequency, shuffled targets and random weights" in (run / "methods.md").read_text()
    assert {"text.png", "log_loss.png", "vocabulary.png"} <= {file.name for file in (run / "figures").iterdir()}


@pytest.mark.parametrize(
    ("settings", "message"), [({"text": " "}, "geometry.text is empty"), ({"tokens": 3}, "expected at least 50")]
)
def test_bad_settings(settings, message):
    with pytest.raises(BadInput, match=message):
        LensSettings(**settings)


def found_with(losses, rivals, agreement=((1.0,),) * 4, **own):
    """Findings of four levels at whose places these are the losses, one document a place."""
    clusters = np.arange(losses.shape[1])
    tallies = [mean_of(-loss, clusters) for loss in losses]
    found = [leads(tally, {name: mean_of(-row, clusters) for name, row in rivals.items()}) for tally in tallies]
    by_who = {"log_loss": [estimate(mean_of(loss, clusters)) for loss in losses]}
    by_who["agreement"] = [Estimate(float(np.mean(row))) for row in agreement]
    three = TokenPlaces(torch.arange(3), torch.arange(3), np.arange(3), torch.zeros(4, 3, 2))
    top = np.array([[7, 7, 1], [7, 1, 1], [7, 7, 1], [7, 7, 2]])
    read = LensReadings({"rank": np.zeros((4, 3)), "log_loss": np.ones((4, 3))}, {}, top)
    texts = Examples(ids=("x",), texts=("a short one",), groups=("g",), splits=("",), source="here")
    usual = {"texts": texts, "levels": LEVELS, "median_rank": [], "unigram": {}}
    usual |= {"text": "", "drawn": three, "drawn_readings": read, "vocab": 50, "n": len(clusters)}
    return LensFindings(**{**usual, "by_who": {"model": by_who}, "leads": found, **own})


def noisy(seed, n=40, scale=0.05):
    return scale * np.random.default_rng(seed).standard_normal(n)


def test_a_level_beats_the_unigrams_token_by_token_and_for_good(tiny):
    """The intervals of the two means overlap widely; the difference is there at nearly every token."""
    base = 10 + noisy(0, scale=4)
    losses = np.stack([base + gap + noisy(seed) for seed, gap in enumerate((-0.1, 0.5, -0.1, -0.1), start=1)])
    agreement = ((0.9,), (0.1,), (0.9,), (1.0,))
    said = headline(found_with(losses, {"token frequency": base, "random weights": base + 1}, agreement), tiny)
    assert "better than token frequency and random weights from block 1 on" in said  # at the embedding it was luck
    assert (
        "beats the strongest rival (token frequency -9.758, difference +0.1" in said and "and the weaker rival" in said
    )
    assert "final top tokens are on top from block 1 on" in said  # block 0 forgets what was there at the embedding
    assert f"log-loss of {losses[-1].mean():.2f} [" in said


def test_a_level_that_random_weights_do_as_well_tells_nothing(tiny):
    base = 10 + noisy(0, scale=4)
    losses = np.stack([base - 1 + noisy(seed) for seed in range(1, 5)])
    found = found_with(losses, {"token frequency": base, "random weights": losses[-1] + noisy(9)})
    assert found.better_from == 4
    said = headline(found, tiny)
    assert "at no level" in said and "is not shown to beat random weights" in said


def test_a_token_has_settled_where_it_stays(tiny):
    found = found_with(np.ones((4, 4)), {})
    assert text_table(found, tiny).frame["settled at"].tolist() == ["embed", "1", "2"]


def test_means_are_over_test_texts_and_unigrams_over_others(tiny):
    examples = Corpus(limit=600)()
    texts = LensStudy(tokens=60)._sample(tiny, examples)
    assert set(texts.splits) == {"test"}
    n = [len(ids) for ids in tiny.tokenizer(list(texts.texts))["input_ids"]]
    assert sum(n) >= 60 > sum(n) - max(n)


def test_the_study_gives_each_part_its_texts_and_tables(tiny, monkeypatch):
    """Tables that are not tied, as the tiny model's are."""
    embed, unembed = torch.randn(2, len(embedding(tiny)), 32, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(study, "embedding", lambda _: embed)
    monkeypatch.setattr(study, "unembedding", lambda _: unembed)
    asked = LensStudy(tokens=900, data=Corpus(limit=3000), layers=[0], draws=100)
    found = asked.find(tiny, ActivationStore())
    assert [level.layer for level in found.levels] == [None, 0, 2]
    examples = Corpus(limit=3000)()
    places = places_in(tiny, found.texts, found.levels)
    twin = places_in(replace(tiny, random_init=True, seed=0), found.texts, found.levels)
    own, blank = readings(tiny, places, 0), readings(replace(tiny, random_init=True, seed=0), twin, 0)
    expected, groups = cosines(places, embed, unembed, 0), len(set(found.texts.groups))
    assert groups > 1 and len(expected[0]) == 3
    for kind in expected[0]:
        for who, grid in zip(("cosine", "random_token"), expected, strict=True):
            assert [one.value for one in found.of(kind, who)] == pytest.approx(grid[kind].mean(1))
    train, dev = (
        examples.select([i for i, at in enumerate(examples.splits) if at == part]) for part in ("train", "dev")
    )
    frequency = unigram(tiny, train, dev, places)
    assert found.unigram["log_loss"].value == pytest.approx(frequency["log_loss"].mean())
    for who, grid in (("model", own.own), ("shuffled", own.shuffled), ("random_init", blank.own)):
        assert [one.value for one in found.of("log_loss", who)] == pytest.approx(grid["log_loss"].mean(1))
        assert {one.groups for one in found.of("log_loss", who)} == {groups}
    assert found.of("kl")[-1].kind == found.of("agreement")[-1].kind == "", "the last level is its own measure"
    assert found.of("kl")[0].kind == "95% interval"
    rivals = {"token frequency": np.broadcast_to(frequency["log_loss"], own.own["log_loss"].shape)}
    rivals |= {"shuffled targets": own.shuffled["log_loss"], "random weights": blank.own["log_loss"]}
    for at, loss in enumerate(own.own["log_loss"]):
        assert {lead.rival for lead in found.leads[at]} == set(rivals)
        for lead in found.leads[at]:
            by_hand = difference(
                mean_of(-loss, places.clusters), mean_of(-rivals[lead.rival][at], places.clusters), 100, 0
            )
            assert lead.difference == by_hand
    assert len(found.drawn.ids) == len(tiny.tokenizer(TEXT)["input_ids"]), "from the first token on"
