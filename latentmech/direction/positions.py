"""Where in a text a direction is read. A rule gives character spans; masks and offsets turn them into tokens.

last              the last token before the model goes on: with a chat template, the template's own last token
post_instruction  every token that the chat template puts behind the user's words, each a candidate
prompt_mean       mean over the user's words
response_mean     mean over the answer
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
from latentmech.model import Dialogue, Layers, Level, Model, dialogues, levels_of

NEUTRAL_WORDS = 1500  # of the bundled treebank
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
    begin, end = texts[0].after_user
    piece = texts[0].text[begin:end]
    offsets = model.tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    if not piece.strip():
        raise BadInput("direction.positions=post_instruction needs a chat template; use last, or chat_template=true")
    starts = [t.after_user[0] for t in texts]  # `post_-1` is the last token, as negative indices count
    return {f"post_{i - len(offsets)}": [(at + a, at + b) for at in starts] for i, (a, b) in enumerate(offsets)}


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
    letter = LETTER.search(text.text, *text.answer)
    if rule == "letter" and letter is None:
        raise BadInput(f"{where} does not end in a letter such as (A); use response_mean or last")
    return letter.span() if rule == "letter" and letter else text.answer
