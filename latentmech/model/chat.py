"""A prompt, and an answer if there is one, as the text that the model is given, with the places that matter in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from latentmech.data import Span
from latentmech.errors import BadInput
from latentmech.model.handle import Model

PLACE = "<<what the user says>>"


@dataclass(frozen=True)
class Dialogue:
    """What a model reads.

    Attributes:
        text: all of it, special tokens spelled out.
        user: the characters `[start, end)` that the user wrote.
        answer: those of the answer; None where the model is to give it.
    """

    text: str
    user: Span
    answer: Span | None = None

    @property
    def after_user(self) -> Span:
        """What the chat template puts between the user's words and the answer; empty without a template."""
        return self.user[1], self.answer[0] if self.answer else len(self.text)


def dialogues(
    model: Model,
    prompts: Sequence[str],
    answers: Sequence[str] | None = None,
    *,
    chat_template: bool = True,
    system: str | None = None,
) -> list[Dialogue]:
    """Render prompts (and the beginnings of answers) with the model's chat template, or plainly.

    Args:
        chat_template: use it where the tokenizer has one. Without, an answer follows its prompt on a new line.
        system: a system prompt instead of the template's own.

    Raises:
        BadInput: a system prompt for a model without a template, or a template that changes what the user wrote.
    """
    templated = chat_template and bool(model.tokenizer.chat_template)
    if system is not None and not templated:
        raise BadInput(f"system={system!r} has no place: {model.name} is used without a chat template; leave it out")
    before, after = _around(model, system) if templated else ("", "" if answers is None else "\n")
    given = answers if answers is not None else [None] * len(prompts)
    return [_dialogue(before, prompt.strip(), after, answer) for prompt, answer in zip(prompts, given, strict=True)]


def _dialogue(before: str, prompt: str, after: str, answer: str | None) -> Dialogue:
    start, end = len(before), len(before) + len(prompt)
    text = before + prompt + after
    if answer is None:
        return Dialogue(text, (start, end))
    return Dialogue(text + answer, (start, end), (len(text), len(text) + len(answer)))


def _around(model: Model, system: str | None) -> tuple[str, str]:
    """What the template puts before and after the user's words."""
    said = [{"role": "system", "content": system}] if system is not None else []
    said.append({"role": "user", "content": PLACE})
    text = str(model.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True))
    before, place, after = text.partition(PLACE)
    if not place:
        raise BadInput(f"the chat template of {model.name} changes what the user writes; set chat_template=false")
    return before, after
