"""Coordinates fitted to documents; pooling over whole texts; the sentence encoder."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.model import levels_of, tokenise
from latentmech.retrieval import fit


def rows(n, d=6):
    torch.manual_seed(0)
    return torch.randn(n, d) @ torch.diag(torch.logspace(0, 3, d)) + 50 * torch.arange(d)


def test_whitened_documents_are_uncorrelated_and_of_one_size():
    documents = rows(20_000)
    white = fit("whitened", documents)(documents)
    assert torch.allclose(white.mean(0), torch.zeros(6), atol=1e-3)
    assert torch.allclose(torch.cov(white.T), torch.eye(6), atol=0.05)


def test_whitening_undoes_correlations_of_coordinates_of_unequal_size():
    mixed = rows(20_000) @ torch.triu(torch.ones(6, 6))
    assert torch.corrcoef(mixed.T)[3, 4] > 0.05 and mixed.std(0).max() > 50 * mixed.std(0).min()
    assert torch.allclose(torch.cov(fit("whitened", mixed)(mixed).T), torch.eye(6), atol=0.05)


def test_a_coordinate_that_never_varies_says_nothing():
    rounding = torch.nextafter(torch.tensor(3.0), torch.tensor(4.0)) - 3
    documents = torch.cat([rows(500), torch.full((500, 2), 3.0)], dim=1)
    documents[::2, 7] += rounding  # as sums in another order differ
    white = fit("whitened", documents)(documents)
    assert torch.isfinite(white).all() and white[:, 6:].abs().max() < 1e-6


def test_spaces_are_fitted_once_and_applied_to_others():
    documents, queries = rows(500), rows(3) + 7
    assert torch.equal(fit("raw", documents)(queries), queries)
    centred = fit("centred", documents)(queries)
    assert torch.allclose(centred, queries - documents.mean(0), atol=1e-3)
    kinds = {fit(kind, documents).fingerprint for kind in ("raw", "centred", "whitened")}
    assert len(kinds) == 3 and fit("centred", documents).fingerprint in kinds
    assert fit("centred", documents[:400]).fingerprint not in kinds


def test_fewer_documents_than_dimensions_are_not_all_equally_far():
    torch.manual_seed(0)
    centres = torch.randn(4, 64)
    documents = centres.repeat_interleave(5, 0) + 0.1 * torch.randn(20, 64)
    white = torch.nn.functional.normalize(fit("whitened", documents)(documents), dim=-1)
    cosines = (white @ white.T).numpy()
    same = np.kron(np.eye(4), np.ones((5, 5))).astype(bool) & ~np.eye(20, dtype=bool)
    assert cosines[same].mean() > 0.2 + cosines[~same & ~np.eye(20, dtype=bool)].mean()


def test_poolings_of_whole_texts_share_one_forward(tiny, small):
    levels = levels_of(tiny.n_layers)
    store = ActivationStore()
    together = store.get(tiny, small.documents, levels, "text_last+mean+weighted_mean")
    tokens = tokenise(tiny, small.documents.texts, small.documents.ids)
    for level in levels:
        joint = together.level(level.hook_name)
        for i, ids in enumerate(tokens.ids):
            with torch.inference_mode():
                _, cache = tiny.bridge.run_with_cache(torch.from_numpy(ids)[None], names_filter=level.hook_name)
            states = cache[level.hook_name][0, 1:]  # behind the BOS
            weights = torch.arange(1, len(states) + 1.0)[:, None]
            expected = states[-1], states.mean(0), (weights * states).sum(0) / weights.sum()
            for own, wanted in zip(joint[3 * i : 3 * i + 3], expected, strict=True):
                assert torch.allclose(own, wanted, atol=1e-5)
    alone = store.get(tiny, small.documents, levels, "text_weighted_mean").level(levels[1].hook_name)
    assert torch.allclose(alone, together.level(levels[1].hook_name)[2::3], atol=1e-6)
    with pytest.raises(BadInput, match="expected word_ or text_ with last, first, mean, weighted_mean"):
        store.get(tiny, small.documents, levels, "text_last+middle")


def test_the_sentence_encoder_means_over_real_tokens_only(encoder):
    from transformers import AutoModel, AutoTokenizer

    texts = ["red", "green apples red pears", "pears"]
    vectors = encoder.encode(texts)
    model = AutoModel.from_pretrained(encoder.checkpoint.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder.checkpoint.folder)
    for text, own in zip(texts, vectors, strict=True):
        with torch.inference_mode():
            state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert torch.allclose(own, state / state.norm(), atol=1e-5)
    assert encoder.cut([*texts, "red red red red red"]) == 1


def test_a_folder_that_does_more_is_refused(encoder):
    path = encoder.checkpoint.folder / "modules.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), {"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(BadInput, match="small has a Dense module"):
        _ = replace(encoder).pooling


def test_cls_pooling_makes_other_vectors_and_another_fingerprint(encoder):
    mean, before = encoder.encode(["red apples"]), encoder.fingerprint
    path = encoder.checkpoint.folder / "1_Pooling" / "config.json"
    path.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    other = replace(encoder)
    assert other.pooling == "cls" and other.fingerprint != before
    assert not torch.allclose(other.encode(["red apples"]), mean, atol=1e-3)
