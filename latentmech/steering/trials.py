"""What a steered model is asked, and which next tokens count for and against the behaviour.

Every score here is a log-odds in nats: of one set of next tokens against another, or against all the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.data import PROMPT, Contrast, alternating, letters_of
from latentmech.errors import BadInput
from latentmech.model import REASONING, Dialogue, Model, Templated, dialogues, next_words
from latentmech.steering.settings import LettersSettings, RequestsSettings, StemsSettings

Ids = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Prompts with their answer sets.

    Attributes:
        texts: as the model is given them, up to where it answers.
        shown: as a reader wants to see them.
        groups: prompts of one group are resampled together.
        towards: token ids that count for the behaviour, per prompt.
        away: those that count against it; empty means all others.
        notes: what a reader of the scores must know.
    """

    texts: tuple[str, ...]
    shown: tuple[str, ...]
    groups: tuple[str, ...]
    towards: tuple[Ids, ...]
    away: tuple[Ids, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, places: Sequence[int]) -> "Trials":
        """Some of the trials."""
        own = {name: values for name, values in vars(self).items() if name != "notes"}
        return Trials(**{name: tuple(values[i] for i in places) for name, values in own.items()})

    def log_odds(self, logits: Float[Tensor, "prompt vocab"]) -> Float[Tensor, " prompt"]:
        """Log-odds of each prompt's next token, in nats."""
        return log_odds_of(logits.float().log_softmax(-1), self.towards, self.away)


def log_odds_of(
    log_probs: Float[Tensor, "prompt vocab"], towards: Sequence[Ids], away: Sequence[Ids]
) -> Float[Tensor, " prompt"]:
    """Log-odds of each row's sets, in nats; an empty set against stands for all other tokens."""
    found = []
    for chances, good, bad in zip(log_probs, towards, away, strict=True):
        for_it = chances[list(good)].logsumexp(0)
        rest = chances[list(bad)].logsumexp(0) if bad else torch.log1p(-for_it.exp().clamp(max=1 - 1e-7))
        found.append(for_it - rest)
    return torch.stack(found)


@runtime_checkable
class TrialSource(Protocol):
    """Gives prompts and the next tokens that count, from settings and the direction's data."""

    def __call__(self, model: Model, contrast: Contrast | None, split: str) -> Trials:
        """The trials of one split for one model."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stems(StemsSettings):
    """Beginnings that the model continues; see `StemsSettings`."""

    def __call__(self, model: Model, contrast: Contrast | None, split: str) -> Trials:
        """The trials of one split for one model."""
        del contrast
        prompts = [prompt for i, prompt in enumerate(self.prompts) if (i % 3 == 2) == (split == "dev")]
        answers = [self.after] * len(prompts) if self.after else None
        texts = dialogues(model, prompts, answers, chat_template=self.chat_template)
        sets = ([_spaced(text, words) for text in texts] for words in (self.towards, self.away))
        return _trials(model, texts, prompts, prompts, *sets)


@dataclass(frozen=True, kw_only=True)
class Letters(LettersSettings):
    """Questions with lettered choices; see `LettersSettings`."""

    def __call__(self, model: Model, contrast: Contrast | None, split: str) -> Trials:
        """The trials of one split for one model."""
        if contrast is None or not contrast.are_answers or not contrast.paired:
            raise BadInput("trials by letter need data with prompt, positive and negative; give direction.data.path=")
        part = contrast.in_split(split)
        asked = alternating(letters_of(part.positive.texts) or part.positive.texts)[: self.limit]
        positive, negative = (kind.select(asked) for kind in (part.positive, part.negative))
        prompts = positive.columns[PROMPT]
        texts = dialogues(model, prompts, ["("] * len(prompts), chat_template=self.chat_template)
        letters = ([[_letter(text)] for text in kind.texts] for kind in (positive, negative))
        return _trials(model, texts, prompts, positive.groups, *letters)


@dataclass(frozen=True, kw_only=True)
class Requests(RequestsSettings):
    """Requests, scored by how a refusal begins; see `RequestsSettings`."""

    def __call__(self, model: Model, contrast: Contrast | None, split: str) -> Trials:
        """The trials of one split for one model."""
        if contrast is None:
            raise BadInput("these trials come from the direction's data, and a saved direction has none; set trials")
        part = contrast.in_split(split)
        examples = part.negative if self.kind == "negative" else part.positive
        order = alternating(examples.groups) if self.in_turn else range(len(examples))
        examples = examples.select(order[: self.limit])
        texts = dialogues(model, examples.texts, chat_template=self.chat_template)
        return _trials(model, texts, examples.texts, examples.groups, [self.phrases] * len(texts), [()] * len(texts))


def _trials(
    model: Model,
    texts: Sequence[Dialogue],
    shown: Sequence[str],
    groups: Sequence[str],
    towards: Sequence[Sequence[str]],
    away: Sequence[Sequence[str]],
) -> Trials:
    """Trials scored by how these words begin behind the texts. A token of both sets counts neither way."""
    if not texts:
        raise BadInput("there are no prompts to steer on; give some with trials.prompts, or raise data.limit")
    words = [[*some, *others] for some, others in zip(towards, away, strict=True)]
    after = next_words(model, [text.opening for text in texts], words)
    sets = [[{one.first[w] for w in own} for one, own in zip(after, kind, strict=True)] for kind in (towards, away)]
    common = [some & others for some, others in zip(*sets, strict=True)]
    own_towards, own_away = ([tuple(sorted(a - b)) for a, b in zip(kind, common, strict=True)] for kind in sets)
    if not all(own_towards) or any(words and not ids for words, ids in zip(away, own_away, strict=True)):
        raise BadInput("every token that counts for the behaviour counts against it too; choose other words")
    return Trials(
        texts=tuple(one.text for one in after),
        shown=tuple(shown),
        groups=tuple(groups),
        towards=tuple(own_towards),
        away=tuple(own_away),
        notes=tuple(_notes(model, texts, set().union(*common))),
    )


def _notes(model: Model, texts: Sequence[Dialogue], common: set[int]) -> Iterator[str]:
    if common:
        seen = ", ".join(map(repr, map(model.tokenizer.decode, sorted(common))))
        yield f"Words that begin with the token {seen} count neither way: both sets have some."
    if any(text.answer is None and REASONING.search(text.opening, text.said[-1][1]) for text in texts):
        yield "The prompts end behind the empty reasoning block that the chat template writes before an answer."


def _spaced(text: Dialogue, words: Sequence[str]) -> list[str]:
    """The words with the blank that they need in front: none at the beginning of a line or of an answer in a chat."""
    begins = isinstance(text.text, Templated) and text.answer is None
    return [word if begins or text.opening[-1:].isspace() else f" {word}" for word in words]


def _letter(answer: str) -> str:
    letter = answer.strip(" ()")[:1]
    if not letter:
        raise BadInput(f"the answer {answer!r} does not begin with a letter; expected such as (A)")
    return letter
