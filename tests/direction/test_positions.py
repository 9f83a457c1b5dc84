"""Where a direction is read: spans that the tokenizer turns into exactly the tokens that are meant."""

import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.data import Pairs
from latentmech.direction.positions import placed, rendered
from latentmech.errors import BadInput
from latentmech.model import levels_of, tokenise, word_rows


def found(model, contrast, rules, chat=True):
    joint = contrast.joint.select(range(6))
    texts = rendered(model, joint, chat, None)
    examples, names = placed(model, joint, texts, rules)
    tokens = tokenise(model, examples.texts, examples.ids)
    rows = word_rows(tokens, examples.spans, examples.ids).reshape(6, len(names), 3)
    pieces = [
        {name: model.tokenizer.decode(tokens.ids[i][rows[i, j, 1] : rows[i, j, 2] + 1]) for j, name in enumerate(names)}
        for i in range(6)
    ]
    return joint, tokens, rows, pieces


def test_the_last_token_is_the_last_token_under_any_length(tiny):
    _, tokens, rows, _ = found(tiny, Pairs(name="sentiment")(), ["last"])
    assert [int(r[0, 1]) for r in rows] == [len(ids) - 1 for ids in tokens.ids]
    assert len(set(map(len, tokens.ids))) > 1


def test_means_cover_the_users_words_or_the_answer(tiny):
    joint, _, _, pieces = found(tiny, Pairs(name="sycophancy")(), ["prompt_mean", "response_mean"])
    for i, piece in enumerate(pieces):
        assert piece == {"prompt_mean": joint.columns["prompt"][i], "response_mean": joint.texts[i]}


def test_the_letter_is_the_letter(tiny):
    joint, _, _, pieces = found(tiny, Pairs(name="sycophancy")(), ["letter"])
    assert [p["letter"] for p in pieces] == [text.strip("()") for text in joint.texts]


def test_every_token_behind_the_users_words_is_a_candidate(tiny):
    _, _, _, pieces = found(tiny, Pairs(name="refusal")(), ["post_instruction"])
    assert all(piece == pieces[0] for piece in pieces)
    assert pieces[0]["post_-1"] == "<|eos|>"


def test_a_marked_word(tiny, tmp_path):
    rows = "".join(f"a cat {i},a dog {i},g{i},{word}\n" for i, word in enumerate(["a"] * 9))
    (tmp_path / "m.csv").write_text("positive,negative,group,mark\n" + rows)
    _, _, _, pieces = found(tiny, Pairs(path=tmp_path / "m.csv")(), ["marked"], chat=False)
    assert {p["marked"] for p in pieces} == {"a"}


@pytest.mark.parametrize(
    ("rule", "chat", "message"),
    [
        ("post_instruction", False, "needs a chat template"),
        ("response_mean", True, "is no answer"),
        ("marked", True, "is not in the text"),
    ],
)
def test_a_rule_that_does_not_apply_says_so(tiny, rule, chat, message):
    with pytest.raises(BadInput, match=message):
        found(tiny, Pairs(name="sentiment")(), [rule], chat)


def test_a_mean_over_one_token_is_that_tokens_activation(tiny):
    contrast = Pairs(name="sentiment")()
    joint = contrast.joint.select(range(4))
    examples, _ = placed(tiny, joint, rendered(tiny, joint, True, None), ["last"])
    levels = levels_of(tiny.n_layers)
    mean, last = (ActivationStore().get(tiny, examples, levels, p) for p in ("word_mean", "text_last"))
    for level in levels:
        assert torch.equal(mean.level(level.hook_name), last.level(level.hook_name))
