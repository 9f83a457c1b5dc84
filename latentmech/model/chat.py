"""A prompt, and an answer if there is one, as the text that the model is given, with the places that matter in it.

Every text is what `apply_chat_template` writes for the real messages. Where the words lie in it is known from the same
template with marks in their place; a template that then writes something else is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from latentmech.data import Span
from latentmech.errors import BadInput
from latentmech.model.handle import Model

PLACE, REPLY, RULE = "«what the user says»", "«what is answered»", "«what the system says»"
MARKS = re.compile(f"({PLACE}|{REPLY})")
REASONING = re.compile(r"<think>(.*?)</think>\s*", re.DOTALL)


class Templated(str):
    """A text as a chat template wrote it: how it begins is the template's to say, so no BOS is put before it."""

    __slots__ = ()


@dataclass(frozen=True)
class Dialogue:
    """What a model reads.

    Attributes:
        text: all of it, special tokens spelled out; `Templated` if a template wrote it.
        said: the characters `[start, end)` of the user's words, wherever they are written; mostly once.
        opening: up to where an answer's own words begin: the text, and the blank or the closed reasoning block
            that the template writes before an answer.
        answer: the characters of the answer, its reasoning included; None where the model is to give it.
    """

    text: str
    said: tuple[Span, ...]
    opening: str
    answer: Span | None = None

    @property
    def user(self) -> Span:
        """The user's words where they come first."""
        return self.said[0]

    @property
    def after_user(self) -> Span:
        """What the chat template puts between the user's last words and the answer; empty without a template."""
        return self.said[-1][1], self.answer[0] if self.answer else len(self.text)

    @property
    def reasoning(self) -> Span | None:
        """The block in which a reasoning model thinks before it answers, its marks included; None if it is empty."""
        found = REASONING.search(self.text, self.said[-1][1])
        return found.span() if found and found[1].strip() else None

    @property
    def answer_proper(self) -> Span | None:
        """The answer behind its reasoning."""
        if self.answer is None:
            return None
        found = REASONING.match(self.text, *self.answer)
        return found.end() if found else self.answer[0], self.answer[1]


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
        BadInput: a system prompt for a model without a template or whose template has no place for one, or a template
            that changes what the user or the answer says.
    """
    given: Sequence[str | None] = answers if answers is not None else [None] * len(prompts)
    pairs = [(prompt.strip(), answer) for prompt, answer in zip(prompts, given, strict=True)]
    if chat_template and model.tokenizer.chat_template:
        _check_arguments(model)
        write = _Template(model, system)
        return [write(*pair) for pair in pairs]
    if system is not None:
        raise BadInput(f"system={system!r} has no place: {model.name} is used without a chat template; leave it out")
    return [_plain(*pair) for pair in pairs]


def _check_arguments(model: Model) -> None:
    template = str(model.tokenizer.get_chat_template())
    for name in model.chat_arguments or ():
        if not re.search(rf"\b{re.escape(name)}\b", template):
            raise BadInput(f"model.chat_arguments.{name}: the chat template of {model.name} asks for no such thing")


def _plain(prompt: str, answer: str | None) -> Dialogue:
    said = ((0, len(prompt)),)
    if answer is None:
        return Dialogue(prompt, said, prompt)
    text = f"{prompt}\n{answer}"
    return Dialogue(text, said, text, (len(prompt) + 1, len(text)))


@dataclass(frozen=True)
class _Template:
    """A model's chat template under one system prompt."""

    model: Model
    system: str | None

    def __call__(self, prompt: str, answer: str | None) -> Dialogue:
        """One dialogue, as the template writes it; with an answer, no further than that."""
        outline, text = self.outline if answer is None else self.outline_answered, self.written(prompt, answer)
        for reply in (answer, answer and answer.strip()):  # a template may trim what it is given
            pieces = _pieces(outline, prompt, reply)
            if "".join(pieces) == text:
                return _answered(outline, pieces) if answer is not None else self._open(outline, pieces, prompt)
        raise self.refused(f"changes what is said in {_short(prompt)}")

    def _open(self, outline: list[str], pieces: list[str], prompt: str) -> Dialogue:
        """A dialogue whose answer is to come."""
        before = self.before_answer
        opening = "".join(pieces if before is None else _pieces(before, prompt, None))
        return Dialogue(Templated("".join(pieces)), _said(outline, pieces), Templated(opening))

    @cached_property
    def outline(self) -> list[str]:
        """What is written for a prompt, cut at the marks that stand for the words."""
        return self._outline(None)

    @cached_property
    def outline_answered(self) -> list[str]:
        """The same for a prompt and an answer."""
        return self._outline(REPLY)

    @cached_property
    def before_answer(self) -> list[str] | None:
        """The outline up to an answer; None if the template writes no answers."""
        try:
            return self.outline_answered[: self.outline_answered.index(REPLY)]
        except BadInput:
            return None

    def _outline(self, answer: str | None) -> list[str]:
        text = self.written(PLACE, answer)
        for mark, words in ((PLACE, "the user's words"), (answer, "answers")):
            if mark and mark not in text:
                raise self.refused(f"leaves {words} out")
        if self.system is not None and RULE not in _Template(self.model, RULE).written(PLACE, answer):
            raise self.no_system("it leaves it out")
        return MARKS.split(text)

    def written(self, prompt: str, answer: str | None) -> str:
        """What the tokenizer's template makes of the messages; what it raises is said in a line."""
        from jinja2 import TemplateError

        said = {"system": self.system, "user": prompt, "assistant": answer}
        messages = [{"role": role, "content": words} for role, words in said.items() if words is not None]
        chosen = {"add_generation_prompt": answer is None} | dict(self.model.chat_arguments or {})
        try:
            return str(self.model.tokenizer.apply_chat_template(messages, tokenize=False, **chosen))
        except TemplateError as error:
            raise (self.refused(f"refuses ({error})") if self.system is None else self.no_system(error)) from error

    def refused(self, why: str) -> BadInput:
        """The error that says what the template does."""
        return BadInput(f"the chat template of {self.model.name} {why}; set chat_template=false")

    def no_system(self, why: object) -> BadInput:
        """The error that says that a system prompt has no place."""
        return BadInput(
            f"the chat template of {self.model.name} takes no system prompt ({why}); leave system={self.system!r} out"
        )


def _pieces(outline: list[str], prompt: str, reply: str | None) -> list[str]:
    """The outline with words in the place of the marks."""
    return [{PLACE: prompt, REPLY: reply or REPLY}.get(piece, piece) for piece in outline]


def _said(outline: list[str], pieces: list[str]) -> tuple[Span, ...]:
    """Where the user's words lie."""
    ends = [0, *accumulate(len(piece) for piece in pieces)]
    return tuple((ends[i], ends[i + 1]) for i, piece in enumerate(outline[: len(pieces)]) if piece == PLACE)


def _answered(outline: list[str], pieces: list[str]) -> Dialogue:
    """The dialogue that these pieces make up to the end of the answer."""
    upto = pieces[: outline.index(REPLY) + 1]
    text = Templated("".join(upto))
    return Dialogue(text, _said(outline, upto), text, (len(text) - len(upto[-1]), len(text)))


def _short(text: str) -> str:
    return repr(text if len(text) < 60 else text[:57] + "...")
