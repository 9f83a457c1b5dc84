"""Chat templates: what the user said is found again, and BOS is not doubled."""

import pytest

from latentmech.errors import BadInput
from latentmech.model import dialogues, tokenise


def test_the_users_words_and_the_answer_are_where_it_says(tiny):
    for answers in (None, ["fine", "no"]):
        for given, dialogue, i in zip(
            ["hello  ", "user: hello"], dialogues(tiny, ["hello  ", "user: hello"], answers), (0, 1), strict=True
        ):
            start, end = dialogue.user
            assert dialogue.text[start:end] == given.strip()
            assert dialogue.text.startswith("<|bos|>user: ")
            if answers:
                assert dialogue.answer and dialogue.text[slice(*dialogue.answer)] == answers[i]
                assert dialogue.answer[1] == len(dialogue.text)


def test_without_a_template_the_text_is_plain(tiny):
    (plain,) = dialogues(tiny, ["hello"], chat_template=False)
    assert plain.text == "hello" and plain.user == (0, 5) and plain.after_user == (5, 5)
    (answered,) = dialogues(tiny, ["hello"], ["yes"], chat_template=False)
    assert answered.text == "hello\nyes" and answered.answer == (6, 9)


def test_a_system_prompt_needs_a_template(tiny):
    (dialogue,) = dialogues(tiny, ["hello"], system="be brief")
    assert "be brief" in dialogue.text
    with pytest.raises(BadInput, match="has no place"):
        dialogues(tiny, ["hello"], system="be brief", chat_template=False)


def test_a_rendered_text_gets_no_second_bos(tiny):
    (dialogue,) = dialogues(tiny, ["hello"])
    tokens = tokenise(tiny, [dialogue.text, "plain"], ["0", "1"])
    assert tokens.n_bos == (0, 1)
    assert [row.tolist().count(tiny.tokenizer.bos_token_id) for row in tokens.ids] == [1, 1]
