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
from latentmech.geometry.lens.findings import Findings, Means
from latentmech.geometry.lens.next_token import METRICS, Places, Readings, _shape, _told, places_in, readings, unigram
from latentmech.geometry.lens.study import LensStudy
from latentmech.geometry.lens.tables import text_table
from latentmech.geometry.lens.vocabulary import Cosines, cosines
from latentmech.geometry.lens.words import headline
from latentmech.model import embedding, levels_of, read_out, unembedding

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
    places = Places(ids, targets, np.zeros(40, dtype=np.int64), states)
    found = cosines(places, table, out, 0)
    assert found.own["own_embedding"].mean(1) == pytest.approx([1, 0], abs=0.12)
    assert found.own["next_unembedding"].mean(1) == pytest.approx([0, 1], abs=0.12)
    assert found.own["own_unembedding"].mean(1) == pytest.approx([0, 0], abs=0.12)
    assert all(abs(grid.mean()) < 0.12 for grid in found.random.values())
    assert set(cosines(places, table, table, 0).own) == {"own_embedding", "next_unembedding"}


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
    assert {"text.png", "log_loss.png", "vocabulary.png"} <= {file.name for file in (run / "figures").iterdir()}


@pytest.mark.parametrize(
    ("settings", "message"), [({"text": " "}, "geometry.text is empty"), ({"tokens": 3}, "expected at least 50")]
)
def test_bad_settings(settings, message):
    with pytest.raises(BadInput, match=message):
        LensStudy(**settings)


def made_findings():
    """At the embedding and block 0 half a nat worse than the unigrams, from block 1 on a little better, everywhere."""
    noise = 10 + 4 * np.random.default_rng(0).standard_normal(40)
    grid = np.stack([noise + 0.5, noise + 0.5, noise - 0.1, noise - 0.1])
    agreement = np.repeat([[0.9], [0.1], [0.9], [1.0]], 40, axis=1)
    top = np.array([[7, 7, 1], [7, 1, 1], [7, 7, 1], [7, 7, 2]])
    places = Places(torch.arange(40), torch.arange(40), np.arange(40), torch.zeros(4, 40, 2))
    own = Readings({"log_loss": grid, "agreement": agreement}, {}, np.zeros((4, 40), dtype=np.int64))
    three = Places(torch.arange(3), torch.arange(3), np.arange(3), torch.zeros(4, 3, 2))
    drawn = Readings({"rank": np.zeros((4, 3)), "log_loss": np.ones((4, 3))}, {}, top)
    return Findings(
        levels=LEVELS, places=places, own=own, twin=None,
        unigram={"log_loss": noise}, cosines=Cosines({}, {}), drawn=three, drawn_readings=drawn, vocab=50,
    )  # fmt: skip


def test_a_level_beats_the_unigrams_token_by_token_and_for_good(tiny):
    """The intervals of the two means overlap widely; the difference is there at every token."""
    findings = made_findings()
    means = Means(findings, 200)
    said = headline(tiny, findings, means, {name: means.levels(grid) for name, grid in findings.own.own.items()})
    assert "better than its frequency (" in said and "nats) from block 1 on" in said
    assert "final top tokens are on top from block 1 on" in said  # at the embedding it was luck: block 0 forgets it


def test_a_token_has_settled_where_it_stays(tiny):
    assert text_table(tiny, made_findings()).frame["settled at"].tolist() == ["embed", "1", "2"]


def test_means_are_over_test_texts_and_unigrams_over_others(tiny):
    examples = Corpus(limit=600)()
    texts = LensStudy(tokens=60)._sample(tiny, examples)
    assert set(texts.splits) == {"test"}
    n = [len(ids) for ids in tiny.tokenizer(list(texts.texts))["input_ids"]]
    assert sum(n) >= 60 > sum(n) - max(n)


def test_the_study_gives_each_part_its_texts_and_tables(tiny, monkeypatch):
    """Tables that are not tied, as the tiny model's are, and findings before they are presented."""
    embed, unembed = torch.randn(2, len(embedding(tiny)), 32, generator=torch.Generator().manual_seed(0))
    kept, presented = [], study.present
    monkeypatch.setattr(study, "present", lambda *parts: (kept.append(parts[-1]), presented(*parts))[1])
    monkeypatch.setattr(study, "embedding", lambda _: embed)
    monkeypatch.setattr(study, "unembedding", lambda _: unembed)
    LensStudy(tokens=60, data=Corpus(limit=600), layers=[0], draws=100)(tiny, ActivationStore())
    (found,) = kept
    assert [level.layer for level in found.levels] == [None, 0, 2]
    expected = cosines(found.places, embed, unembed, 0)
    for own, wanted in ((found.cosines.own, expected.own), (found.cosines.random, expected.random)):
        assert all((own[kind] == wanted[kind]).all() for kind in wanted) and len(wanted) == 3
    examples = Corpus(limit=600)()
    train, dev = (
        examples.select([i for i, at in enumerate(examples.splits) if at == part]) for part in ("train", "dev")
    )
    np.testing.assert_array_equal(found.unigram["log_loss"], unigram(tiny, train, dev, found.places)["log_loss"])
    assert found.twin.own["log_loss"].shape == found.own.own["log_loss"].shape
    assert not np.allclose(found.twin.own["log_loss"], found.own.own["log_loss"])
    assert len(found.drawn.ids) == len(tiny.tokenizer(study.TEXT)["input_ids"]), "from the first token on"
