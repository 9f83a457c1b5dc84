"""Where in a text a direction is read. A rule gives character spans; masks and offsets turn them into tokens.

last              the last token before the model goes on: with a chat template, the template's own last token
post_instruction  every token that the chat template puts behind the user's words, each a candidate
prompt_mean       mean over the user's words
response_mean     mean over the answer
answer_start      the answer's first token, behind the reasoning if there is one
thinking_mean     mean over the reasoning, `<think>` to `</think>`
marked            a word of the text, named in the column `mark`
letter            the letter of an answer such as `(A)`
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from latentmech.activations import ActivationStore
from latentmech.data import PROMPT, Corpus, Examples, Span
from latentmech.direction.sample import Rows
from latentmech.errors import BadInput
from latentmech.model import Dialogue, Layers, Level, Model, Templated, dialogues, levels_of

NEUTRAL_WORDS = 1500  # of the bundled treebank
LACKING = {
    "response_mean": "is empty; leave it out",
    "answer_start": "has no words behind its reasoning; leave it out",
    "thinking_mean": "has no reasoning between <think> and </think>; use response_mean or last",
    "letter": "does not end in a letter such as (A); use response_mean or last",
}
LETTER = re.compile(r"[A-Z](?=\W*$)")


@dataclass(frozen=True)
class Reading:
    """How texts are turned into rows.

    Attributes:
        rule: name of the position, such as `last` or `post_-2`.
        layers: the blocks that are collected, `all` or numbers.
        system: a system prompt instead of the template's own.
    """

    rule: str
    site: str
    layers: Layers
    chat_template: bool
    system: str | None


def rendered(model: Model, examples: Examples, chat_template: bool, system: str | None) -> list[Dialogue]:
    """The examples as the model is given them; where they are answers, each behind its prompt."""
    prompts = examples.columns.get(PROMPT)
    asked, answers = (examples.texts, None) if prompts is None else (prompts, examples.texts)
    return dialogues(model, asked, answers, chat_template=chat_template, system=system)


def placed(
    model: Model, examples: Examples, texts: Sequence[Dialogue], rules: Sequence[str]
) -> tuple[Examples, tuple[str, ...]]:
    """The rendered texts with a span for every candidate position, and the candidates' names.

    Raises:
        BadInput: a text lacks what a rule asks for.
    """
    found = [_candidates(model, examples, texts, rule) for rule in rules]
    names = tuple(name for candidates in found for name in candidates)
    spans = tuple(tuple(c[name][i] for c in found for name in c) for i in range(len(texts)))
    return replace(examples, texts=tuple(t.text for t in texts), spans=spans, columns={}), names


def rows_at(reading: Reading, examples: Examples, hook_name: str, model: Model, store: ActivationStore) -> Rows:
    """A row per text at one level, at the reading's position or, where a text has no such place, at the last token."""
    texts = rendered(model, examples, reading.chat_template, reading.system)
    rule = "post_instruction" if reading.rule.startswith("post_") else reading.rule
    try:
        at, names = placed(model, examples, texts, (rule,))
    except BadInput:
        at, names = placed(model, examples, texts, ("last",))
    levels = levels_of(model.n_layers, reading.site, reading.layers)  # all: the study may have collected them already
    level = store.get(model, at, levels, "word_mean").level(hook_name)
    return level[names.index(reading.rule) if reading.rule in names else len(names) - 1 :: len(names)]


def median_norms(model: Model, store: ActivationStore, levels: Sequence[Level]) -> dict[str, float]:
    """Median norm over the words of a neutral text at each level: what a strength is measured in.

    A mean would be that of first tokens, which are 100 times larger.
    """
    activations = store.get(model, Corpus(limit=NEUTRAL_WORDS)(), levels, "word_last")
    return {level.hook_name: float(activations.level(level.hook_name).norm(dim=1).median()) for level in levels}


def _candidates(model: Model, examples: Examples, texts: Sequence[Dialogue], rule: str) -> dict[str, list[Span]]:
    """Candidates by name, each with its span in every text."""
    if rule == "last":
        return {rule: [(len(t.text) - 1, len(t.text)) for t in texts]}
    if rule == "prompt_mean":
        return {rule: [t.user for t in texts]}
    if rule != "post_instruction":
        return {rule: [_within(examples, i, text, rule) for i, text in enumerate(texts)]}
    return _post_instruction(model, texts)


def _post_instruction(model: Model, texts: Sequence[Dialogue]) -> dict[str, list[Span]]:
    """The template's own tokens as they are in the text; `post_-1` is the last one, as negative indices count."""
    encoded = model.tokenizer([t.text for t in texts], add_special_tokens=False, return_offsets_mapping=True)
    found = []
    for text, offsets in zip(texts, encoded["offset_mapping"], strict=True):
        begin, end = text.after_user
        found.append([(a, b) for a, b in offsets if begin <= a < b <= end])
    n = min(map(len, found))
    if not n or not isinstance(texts[0].text, Templated):
        raise BadInput("direction.positions=post_instruction needs a chat template; use last, or chat_template=true")
    return {f"post_{i}": [spans[i] for spans in found] for i in range(-n, 0)}


def _within(examples: Examples, i: int, text: Dialogue, rule: str) -> Span:
    """The span of an answer, of its letter, or of a marked word."""
    where = f"text {examples.ids[i]} of {examples.source}"
    if rule == "marked":
        word = examples.columns.get("mark", (None,) * len(examples))[i]
        at = text.text.find(str(word), text.user[0]) if word else -1
        if at < 0:
            raise BadInput(f"{where}: the word in the column mark ({word}) is not in the text; name one that is")
        return at, at + len(str(word))
    if text.answer is None:
        raise BadInput(f"{where} is no answer; direction.positions={rule} needs a column prompt beside the answers")
    proper = text.answer_proper or text.answer
    found = {
        "response_mean": text.answer if text.answer[0] < text.answer[1] else None,
        "answer_start": (proper[0], proper[0] + 1) if proper[0] < proper[1] else None,
        "thinking_mean": text.reasoning,
        "letter": match.span() if (match := LETTER.search(text.text, *proper)) else None,
    }[rule]
    if found is None:
        raise BadInput(f"{where} {LACKING[rule]}")
    return found
