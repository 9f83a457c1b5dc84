"""Where a word's vectors come from in a model."""

from dataclasses import replace

import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.geometry import NeighboursStudy
from latentmech.geometry.neighbours.pools import context_pool, text_pool, word_pool
from latentmech.geometry.rows import in_context
from latentmech.geometry.settings import check_template
from latentmech.geometry.spaces import in_template, model_spaces, tokens_of
from latentmech.model import embedding, levels_of, unembedding


@pytest.fixture
def store(tmp_path):
    return ActivationStore(root=str(tmp_path))


def test_a_word_is_its_last_token_in_the_template(tiny, store):
    examples = in_template(["cat", "a"], "The {} is")
    spaces = list(model_spaces(tiny, store, examples, "resid_post", [1]))
    assert [space.name for space in spaces] == ["embed", "layer_01", "unembed"]
    ids = tiny.tokenizer("The cat is", add_special_tokens=False)["input_ids"]
    ids = [tiny.tokenizer.bos_token_id, *ids]
    with torch.inference_mode():
        _, cached = tiny.bridge.run_with_cache(torch.tensor([ids]), names_filter=["blocks.1.hook_out"])
    (states,) = cached.values()
    torch.testing.assert_close(spaces[1].vectors[0], states[0, 7], atol=1e-5, rtol=1e-5)  # bos T h e _ c a t


def test_a_word_of_several_tokens_is_the_mean_of_their_rows(tiny, store, monkeypatch):
    monkeypatch.setattr("latentmech.geometry.spaces.unembedding", lambda model: 2 * unembedding(model))  # GPT-2 ties
    examples = in_template(["cat"], "x {}")
    (ids,) = tokens_of(tiny, examples)
    assert tiny.tokenizer.decode(ids) == "cat"
    first, *_, last = model_spaces(tiny, store, examples, "resid_post", [0])
    torch.testing.assert_close(first.vectors[0], tiny.bridge.W_E[torch.tensor(ids)].mean(0))
    torch.testing.assert_close(last.vectors[0], 2 * unembedding(tiny)[torch.tensor(ids)].mean(0))
    assert last.role == "unembedding"


@pytest.mark.parametrize("random_init", [False, True])
def test_the_unembedding_gives_the_logits_up_to_a_length(tiny, random_init):
    model = replace(tiny, random_init=random_init)
    norm = model.bridge.ln_final.original_component
    scale = torch.rand(model.d_model, generator=torch.Generator().manual_seed(0)) + 0.5
    kept = norm.weight.data.clone()
    try:
        norm.weight.data = scale
        state = torch.randn(1, 1, model.d_model, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            logits = model.bridge.ln_final(state)[0, 0] @ model.bridge.W_U
        centred = state[0, 0] - state.mean()
        torch.testing.assert_close(
            unembedding(model) @ (centred / centred.std(correction=0)), logits, atol=1e-4, rtol=1e-4
        )
    finally:
        norm.weight.data = kept
    assert embedding(model).shape == unembedding(model).shape


def test_pools_put_the_queries_first(examples):
    words = word_pool(["Dog", "cat"], ["dog", "tree", "cat"], "The {}")
    assert words.labels == ("Dog", "cat", "tree") and words.queries == (0, 1)
    contexts = context_pool(["on the [bank] of the river"], examples)
    assert contexts.labels[0] == "on the [bank] of the river"
    assert f"[{examples.words(0)[0]}]" in contexts.labels[1] and len(contexts.labels[1]) < 60
    assert len(contexts.labels) == 1 + sum(examples.sizes())
    assert contexts.examples.words(0) == ("bank",) and contexts.examples.words(1) == examples.words(0)
    assert text_pool(["a text"], examples).labels == ("a text", *examples.texts)


def test_pools_have_the_rows_that_they_name(tiny, store, examples):
    pool = context_pool(["on the [bank] of it"], examples)
    (*_, top) = pool.spaces(tiny, store, NeighboursStudy(layers=[2]))
    assert len(top.vectors) == len(pool.labels)
    own = store.get(tiny, examples, levels_of(3, "resid_post", [2]), "word_last").level("blocks.2.hook_resid_post")
    torch.testing.assert_close(top.vectors[1:], own, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("template", ["no place", "{} and {}"])
def test_a_template_has_one_place(template):
    with pytest.raises(BadInput, match="expected a text with one"):
        check_template("geometry.template", template)


@pytest.mark.parametrize("context", ["no brackets", "[two] and [more]", "[]"])
def test_a_context_marks_one_word(context):
    with pytest.raises(BadInput, match="expected one word in brackets"):
        NeighboursStudy(contexts=[context])


def test_every_candidate_word_stands_there_once():
    words = NeighboursStudy().candidates()
    assert len({word.lower() for word in words}) == len(words) > 2500
    assert "Paris" in words and "paris" not in words
    assert NeighboursStudy(common=20).candidates() == words[:20]


@pytest.mark.parametrize(
    ("around", "shown"),
    [(3, "…at [sat] on…"), (8, "the cat [sat] on the …"), (20, "the cat [sat] on the mat")],
)
def test_a_word_is_shown_with_so_many_characters_on_either_side(around, shown):
    assert in_context("the cat sat on the mat", (8, 11), around) == shown
