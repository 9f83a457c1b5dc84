"""What a steered model is asked, and which next tokens count for and against the behaviour.

Every score here is a log-odds in nats: of one set of next tokens against another, or against all the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.data import PROMPT, Contrast, alternating, letters_of
from latentmech.errors import BadInput
from latentmech.model import Dialogue, Model, dialogues
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
        sets = [first_tokens(model, words) for words in (self.towards, self.away)]
        common = set(sets[0]) & set(sets[1])
        towards, away = (tuple(i for i in ids if i not in common) for ids in sets)
        if not towards or not away:
            raise BadInput("every token that counts for the behaviour counts against it too; choose other words")
        seen = ", ".join(map(repr, map(model.tokenizer.decode, sorted(common))))
        notes = (f"Words that begin with the token {seen} count neither way: both sets have some.",) if common else ()
        return _trials(texts, prompts, prompts, [towards] * len(texts), [away] * len(texts), notes)


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
        towards, away = ([(_letter_token(model, text),) for text in kind.texts] for kind in (positive, negative))
        return _trials(texts, prompts, positive.groups, towards, away)


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
        tokens = first_tokens(model, self.phrases, spaced=False)
        return _trials(texts, examples.texts, examples.groups, [tokens] * len(texts), [()] * len(texts))


def _trials(
    texts: Sequence[Dialogue], shown: Sequence[str], groups: Sequence[str], towards: Sequence[Ids],
    away: Sequence[Ids], notes: tuple[str, ...] = (),
) -> Trials:  # fmt: skip
    if not texts:
        raise BadInput("there are no prompts to steer on; give some with trials.prompts, or raise data.limit")
    own: dict[str, Any] = {"shown": shown, "groups": groups, "towards": towards, "away": away, "notes": notes}
    return Trials(texts=tuple(text.text for text in texts), **{name: tuple(values) for name, values in own.items()})


def first_tokens(model: Model, words: Sequence[str], *, spaced: bool = True) -> Ids:
    """The first token of each word or phrase, as it begins a new word after a space, or an answer without one.

    A word that is several tokens counts by its first, so it should not share that with a word of the other set.
    """
    found: list[int] = []
    for word in words:
        ids = model.tokenizer(f" {word}" if spaced else word, add_special_tokens=False)["input_ids"]
        found += ([i for i in ids if str(model.tokenizer.decode([i])).strip()] or ids)[:1]
    if not found:
        raise BadInput("no words were given to score the next token by; give some in trials.towards and trials.away")
    return tuple(dict.fromkeys(found))


def _letter_token(model: Model, answer: str) -> int:
    letter = answer.strip(" ()")[:1]
    ids = model.tokenizer(letter, add_special_tokens=False)["input_ids"]
    if not letter or len(ids) != 1:
        raise BadInput(f"the answer {answer!r} is not a letter that {model.name} has a token for; expected such as (A)")
    return int(ids[0])
