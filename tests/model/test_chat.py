"""Chat templates: the text is what the template writes, and the words are where it is said that they are."""

from dataclasses import replace

import pytest

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput
from latentmech.model import Templated, dialogues, levels_of, tokenise

TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<assistant>{% endif %}"
TEMPLATES = {  # templates in use, in small
    "plain": "{{ bos_token }}" + TURNS + PROMPT,
    "no bos": TURNS + PROMPT,
    "blank before answers": "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[I] {{ m.content }} [/I]"
    "{% elif m.role == 'system' %}{{ raise_exception('no system') }}{% else %} {{ m.content }}{% endif %}{% endfor %}",
    "says it twice": "{{ bos_token }}" + TURNS + "Remember: {{ messages[0].content }}" + PROMPT,
    "trims": "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}" + PROMPT,
    "thinks": "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "drops the system": "{{ bos_token }}{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}"
    "{% endfor %}" + PROMPT,
}


def chatting(tiny, template, **settings):
    """The tiny model with this chat template."""
    model = replace(tiny, **settings)
    model.tokenizer.chat_template = TEMPLATES.get(template, template)
    return model


def words(dialogue, span):
    return dialogue.text[span[0] : span[1]]


def written(model, prompt, **options):
    """What transformers makes of the prompt: its text and its ids."""
    said = [{"role": "user", "content": prompt}]
    options = {"add_generation_prompt": True} | options
    ids = model.tokenizer.apply_chat_template(said, tokenize=True, return_dict=True, **options)["input_ids"]
    return model.tokenizer.apply_chat_template(said, tokenize=False, **options), ids


@pytest.mark.parametrize("name", TEMPLATES)
def test_text_and_tokens_are_those_of_the_template(tiny, name):
    model = chatting(tiny, name)
    for prompt, dialogue in zip(["hello", "user: a b"], dialogues(model, ["hello ", "user: a b"]), strict=True):
        text, ids = written(model, prompt)
        assert dialogue.text == text and isinstance(dialogue.text, Templated)
        assert tokenise(model, [dialogue.text], ["0"]).ids[0].tolist() == ids
        assert len(dialogue.said) == (2 if name == "says it twice" else 1)
        assert {words(dialogue, span) for span in dialogue.said} == {prompt}
        assert words(dialogue, dialogue.after_user) == text[dialogue.said[-1][1] :]


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_answer_stands_where_the_template_puts_it(tiny, name):
    model = chatting(tiny, name)
    (dialogue,) = dialogues(model, ["hello"], ["(A"])
    said = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "(A"}]
    whole = model.tokenizer.apply_chat_template(said, tokenize=False)
    assert whole.startswith(dialogue.text) and dialogue.text.endswith("(A")
    assert words(dialogue, dialogue.answer) == "(A" == words(dialogue, dialogue.answer_proper)
    before = {"blank before answers": " ", "thinks": "<think>\n\n</think>\n\n"}.get(name, "")
    if name != "says it twice":  # whose generation prompt stands behind what it repeats
        (asked,) = dialogues(model, ["hello"])
        assert dialogue.text == asked.text + before + "(A" and asked.opening == asked.text + before


def test_bos_is_the_policys_for_plain_text_and_the_templates_in_a_chat(tiny):
    model = chatting(tiny, "no bos")
    (dialogue,) = dialogues(model, ["hello"])
    assert tokenise(model, [dialogue.text, str(dialogue.text)], ["0", "1"]).n_bos == (0, 1)


def test_states_of_a_template_without_bos_are_not_those_of_plain_text(tiny):
    model = chatting(tiny, "no bos")
    texts = [dialogues(model, ["hello"])[0].text, str(dialogues(model, ["hello"])[0].text)]
    rows = []
    for text in texts:
        examples = Examples(ids=("0",), texts=(text,), groups=("0",), splits=("",))
        rows.append(ActivationStore().get(model, examples, levels_of(model.n_layers), "text_last"))
    hook = levels_of(model.n_layers)[-1].hook_name
    assert not rows[0].level(hook).allclose(rows[1].level(hook))


def test_the_users_words_and_the_answer_are_where_it_says(tiny):
    for given, answer in (("hello  ", "fine"), ("user: hello", "no")):
        (dialogue,) = dialogues(tiny, [given], [answer])
        assert words(dialogue, dialogue.user) == given.strip() and dialogue.text.startswith("<|bos|>user: ")
        assert words(dialogue, dialogue.answer) == answer and dialogue.answer[1] == len(dialogue.text)


def test_without_a_template_the_text_is_plain(tiny):
    (plain,) = dialogues(tiny, ["hello"], chat_template=False)
    assert plain.text == "hello" and plain.user == (0, 5) and plain.after_user == (5, 5)
    (answered,) = dialogues(tiny, ["hello"], ["yes"], chat_template=False)
    assert answered.text == "hello\nyes" and answered.answer == (6, 9)


def test_a_system_prompt_that_the_template_does_not_write_is_refused(tiny):
    (dialogue,) = dialogues(tiny, ["hello"], system="be brief")
    assert "be brief" in dialogue.text
    for template, why in (("blank before answers", "no system"), ("drops the system", "it leaves it out")):
        with pytest.raises(BadInput, match=rf"takes no system prompt \({why}\); leave system='be brief' out"):
            dialogues(chatting(tiny, template), ["hello"], system="be brief")
    with pytest.raises(BadInput, match="has no place"):
        dialogues(tiny, ["hello"], system="be brief", chat_template=False)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "leaves the user's words out"),
        (
            "{% for m in messages %}{{ m.content | replace('hell', 'heav') }}{% endfor %}",
            "changes what is said in 'hello'",
        ),
        ("{{ raise_exception('only on Mondays') }}", r"refuses \(only on Mondays\)"),
    ],
)
def test_a_template_that_changes_what_is_said_is_refused(tiny, template, message):
    with pytest.raises(BadInput, match=message):
        dialogues(chatting(tiny, template), ["hello"])


def test_a_template_is_told_what_it_asks_for_and_nothing_else(tiny):
    model = chatting(tiny, "thinks", chat_arguments={"enable_thinking": False})
    assert dialogues(model, ["hello"])[0].text == written(model, "hello", enable_thinking=False)[0]
    assert dialogues(model, ["hello"])[0].text.endswith("</think>\n\n")
    with pytest.raises(
        BadInput, match=r"chat_arguments\.enable_magic: the chat template of tiny asks for no such thing"
    ):
        dialogues(chatting(tiny, "thinks", chat_arguments={"enable_magic": True}), ["hello"])


def test_reasoning_is_told_from_the_answer(tiny):
    (dialogue,) = dialogues(tiny, ["hello"], ["<think>well, then</think>\n\nyes"])
    assert words(dialogue, dialogue.reasoning) == "<think>well, then</think>\n\n"
    assert words(dialogue, dialogue.answer_proper) == "yes"
    (empty,) = dialogues(tiny, ["hello"], ["<think></think>yes"])
    assert empty.reasoning is None and words(empty, empty.answer_proper) == "yes"
