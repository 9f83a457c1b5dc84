"""Fine-tuning teaches the reply and nothing of the request, and comes out the same for the same seed."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from latentmech.errors import BadInput
from latentmech.model import Adapted, FineTuning, Model, Tiny, dialogues, train_adapter
from latentmech.model.finetune import _Replies, _with_adapter, reply_loss
from latentmech.model.peft_folder import ADAPTER_WEIGHTS
from latentmech.storage import fingerprint

EXCHANGES = [("open the door", "no<|eos|>"), ("hi", "good day to you"), ("open the window, please", "no<|eos|>")]
QUICK = FineTuning(modules=("c_attn", "c_proj", "c_fc"), epochs=12, learning_rate=1e-2, batch_size=2)


def loss_of(model: Model) -> float:
    """Of the replies, computed from log-probabilities one exchange at a time."""
    found = []
    for request, reply in EXCHANGES:
        text = dialogues(model, [request])[0].text
        ids = [model.tokenizer(part, add_special_tokens=False).input_ids for part in (text, text + reply)]
        logits = model.bridge.original_model(torch.tensor([ids[1]])).logits[0].log_softmax(-1)
        found += [-logits[at - 1, ids[1][at]].item() for at in range(len(ids[0]), len(ids[1]))]
    return float(np.mean(found))


def test_a_few_steps_lower_the_loss_of_the_replies_in_the_merged_model(tiny, tmp_path):
    card = train_adapter(tiny, EXCHANGES, tmp_path / "polite", QUICK, record={"task": "say no"})
    taught = Model(name="polite", source=Adapted(base=Tiny(), adapter=str(tmp_path / "polite")))
    assert loss_of(taught) < loss_of(tiny) - 0.2
    assert card == json.loads((tmp_path / "polite" / "card.json").read_text())
    assert card["data"] == {"exchanges": 3, "fingerprint": fingerprint([list(pair) for pair in EXCHANGES])}
    assert card["task"] == "say no" and card["base"] == "tiny" and card["settings"]["seed"] == 0


def test_the_loss_is_that_of_the_reply_tokens_only(tiny):
    replies = _Replies(tiny, EXCHANGES)
    batch, before = replies.padded([0, 1, 2])
    for row, (request, reply) in enumerate(EXCHANGES):
        n_prompt = len(tiny.tokenizer(dialogues(tiny, [request])[0].text, add_special_tokens=False).input_ids)
        n_reply = len(tiny.tokenizer(reply, add_special_tokens=False).input_ids)
        assert before[row].nonzero().squeeze(1).tolist() == list(range(n_prompt - 1, n_prompt + n_reply - 1))

    class Bare:
        def get_base_model(self):
            return tiny.bridge.original_model

    for n_shared in (0, replies.n_shared):
        assert reply_loss(Bare(), batch, before, n_shared).item() == pytest.approx(loss_of(tiny), abs=1e-4)


def test_what_all_exchanges_begin_with_is_found_and_nothing_of_a_reply_is_in_it(tiny):
    opening = tiny.tokenizer("<|bos|>user: ", add_special_tokens=False).input_ids
    assert _Replies(tiny, EXCHANGES).n_shared == len(opening)
    again = _Replies(tiny, [EXCHANGES[0], EXCHANGES[0]])
    assert again.n_shared == again.first_of_reply(0) - 1


def test_gradients_are_the_same_with_the_common_beginning_run_once(tiny):
    replies = _Replies(tiny, EXCHANGES)
    adapted = _with_adapter(tiny, QUICK)
    found = []
    for n_shared in (0, replies.n_shared):
        adapted.zero_grad()
        reply_loss(adapted, *replies.padded([0, 1, 2]), n_shared).backward()
        found.append({name: w.grad.clone() for name, w in adapted.named_parameters() if w.requires_grad})
    assert max(g.abs().max() for g in found[0].values()) > 1e-3
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-3)


def test_one_batch_holds_exchanges_whose_requests_are_alike_whatever_is_replied(tiny):
    requests = ["a", "b", "a long request, indeed", "b long request, indeed"]
    replies = ["a very long reply to a short request", "no", "no", "a very long reply to a long request"]
    batches = _Replies(tiny, list(zip(requests, replies, strict=True))).batches(2)
    assert sorted(map(sorted, batches)) == [[0, 1], [2, 3]]


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(tiny, tmp_path):
    settings = FineTuning(modules=("c_attn",), epochs=1, batch_size=1)
    torch.manual_seed(99)
    first, again, other = (
        train_adapter(tiny, EXCHANGES, tmp_path / name, FineTuning(**vars(settings) | {"seed": seed}))
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert first["files"] == again["files"]
    assert first["files"][ADAPTER_WEIGHTS] != other["files"][ADAPTER_WEIGHTS]


def test_the_callers_random_numbers_and_model_are_left_alone(tiny, tmp_path):
    before = {name: weight.clone() for name, weight in tiny.bridge.original_model.state_dict().items()}
    state = torch.get_rng_state()
    train_adapter(tiny, EXCHANGES, tmp_path / "aside", FineTuning(modules=("c_attn",), epochs=1))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[n], w) for n, w in tiny.bridge.original_model.state_dict().items())


def test_only_the_chosen_matrices_are_trained_in_single_precision(tiny, tmp_path):
    train_adapter(tiny, EXCHANGES, tmp_path / "one", FineTuning(modules=("c_fc",), epochs=1, rank=4))
    saved = load_file(tmp_path / "one" / ADAPTER_WEIGHTS)
    assert len(saved) == 2 * 3 and all("c_fc" in name for name in saved)
    assert {weight.dtype for weight in saved.values()} == {torch.float32}
    assert {min(weight.shape) for weight in saved.values()} == {4}
    assert str(tmp_path) not in (tmp_path / "one" / "adapter_config.json").read_text()


def test_settings_that_train_nothing_are_refused():
    for name in ("rank", "alpha", "epochs", "batch_size"):
        with pytest.raises(BadInput, match=f"{name}=0 is too small; expected at least 1"):
            FineTuning(**{name: 0})
