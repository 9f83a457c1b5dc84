"""CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

Each feature in FEATS and MISC becomes a word column by its own name (`Number`, `Tense`, `Entity`); where both
use one name, FEATS wins. `_` is None. SpaceAfter says where the text has no space, so it is no column.

A line `3-4` is one surface token written for the words 3 and 4 (*don't*). A line `8.1` is a word that was
understood but never written: it has no place in the text and is skipped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from sys import intern

from latentmech.data.examples import Examples, Span, distinct, divide, join, locate, unique_ids
from latentmech.data.files import read_text
from latentmech.errors import BadInput, shown

FORM, LEMMA, UPOS, XPOS, FEATS, DEPREL, MISC = 1, 2, 3, 4, 5, 7, 9
RANGE = re.compile(r"(\d+)-(\d+)")
EMPTY_NODE = re.compile(r"\d+\.\d+")
FIXED = {"form": FORM, "lemma": LEMMA, "upos": UPOS, "xpos": XPOS, "deprel": DEPREL}


@dataclass(frozen=True)
class Token:
    """A stretch of surface: one word, or several that were written as one."""

    form: str
    words: int
    space_after: bool


@dataclass
class Sentence:
    """One block of the file; `words` holds each word's ten columns, as they stand there."""

    line: int
    comments: dict[str, str] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)
    covered: int = 0  # words that a token already accounts for: beyond len(words) while inside a range


@dataclass(frozen=True)
class _Row:
    """What one sentence gives to `Examples`."""

    line: int
    comments: dict[str, str]
    text: str
    spans: tuple[Span, ...]
    columns: dict[str, tuple]


def read_conllu(path: str | Path) -> Examples:
    """One text per sentence; its group is its document, or itself where no `# newdoc` says which one."""
    path = Path(path)
    rows = [_row(sentence) for sentence in sentences(path, read_text(path))]
    if not rows:
        raise BadInput(f"{path}: no sentence in it, only comments; expected lines of ten columns: check the export")
    ids = unique_ids([(f"{path}:{row.line}", row.comments.get("sent_id")) for row in rows], path.stem, "sent_id")
    columns = _columns(rows)
    unspelled = sum(len(row.spans) - len(set(row.spans)) for row in rows)
    note = f"{unspelled} words of {path} have no place of their own (as in French du = de + le): they share a token's"
    return Examples(
        ids=ids,
        texts=tuple(row.text for row in rows),
        groups=_groups(path, rows, ids),
        splits=("",) * len(ids),
        spans=tuple(row.spans for row in rows),
        columns=columns,
        word_columns=frozenset(columns),
        source=str(path),
        notes=(note,) if unspelled else (),
    )


def _groups(path: Path, rows: Sequence[_Row], ids: Sequence[str]) -> tuple[str, ...]:
    """A `# newdoc` holds until the next one."""
    groups, document = [], ""
    for row, own in zip(rows, ids, strict=True):
        if "newdoc id" in row.comments or "newdoc" in row.comments:
            document = row.comments.get("newdoc id") or f"{path.stem}-document-{own}"
        groups.append(document or own)
    return tuple(groups)


def _row(sentence: Sentence) -> _Row:
    text, spans = _placed(sentence)
    return _Row(sentence.line, sentence.comments, text, spans, _sentence_columns(sentence.words))


def _placed(sentence: Sentence) -> tuple[str, tuple[Span, ...]]:
    """The text and where its words stand in it: `# text` if that spells the words, else one rebuilt."""
    surface = [token.form for token in sentence.tokens]
    text = sentence.comments.get("text", "")
    located = locate(surface, text)
    if located is None:
        text, located = join(surface, [token.space_after for token in sentence.tokens])
    spans: list[Span] = []
    for token, span in zip(sentence.tokens, located, strict=True):
        forms = [word[FORM] for word in sentence.words[len(spans) : len(spans) + token.words]]
        spans += divide(span, token.form, forms) if token.words > 1 else [span]
    return text, tuple(spans)


def _columns(rows: Sequence[_Row]) -> dict[str, tuple]:
    """The rows' columns, joined. Most are blank in most sentences, so blanks of one length are one tuple."""
    sizes = [len(row.spans) for row in rows]
    blanks = {size: (None,) * size for size in sizes}
    return {
        name: tuple(row.columns.get(name, blanks[size]) for row, size in zip(rows, sizes, strict=True))
        for name in distinct(name for row in rows for name in row.columns)
    }


def _sentence_columns(words: Sequence[Sequence[str]]) -> dict[str, tuple]:
    features: dict[str, list] = {}
    for at, word in enumerate(words):
        for name, value in (*_features(word[MISC]), *_features(word[FEATS])):
            features.setdefault(name, [None] * len(words))[at] = value
    fields = list(zip(*words, strict=True))
    fixed = {name: _cells(fields[number]) for name, number in FIXED.items()}
    fixed["form"] = tuple(map(intern, fields[FORM]))  # a form is never blank: `_` is then an underscore
    fixed = {name: values for name, values in fixed.items() if any(values)}
    return fixed | {name: tuple(values) for name, values in features.items() if name not in FIXED}


def _cells(field: Sequence[str]) -> tuple[str | None, ...]:
    """One field of every word, `_` as None."""
    if "_" not in field:
        return tuple(map(intern, field))
    return tuple(None if value == "_" else intern(value) for value in field)


@lru_cache(maxsize=1 << 16)
def _features(cell: str) -> tuple[tuple[str, str], ...]:
    """`Number=Sing|Person=3` as pairs; an entry without `=` names no feature and is passed over."""
    pairs = (entry.split("=", 1) for entry in cell.split("|") if "=" in entry)
    return tuple((intern(name), intern(value)) for name, value in pairs if name != "SpaceAfter")


def sentences(path: Path, text: str) -> Iterator[Sentence]:
    """Blocks between blank lines. Split at newlines only: `splitlines` also cuts at a U+2028 in a form."""
    sentence = Sentence(line=1)
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if not line or line.isspace():
            if sentence.words:
                yield _complete(sentence, f"{path}:{number - 1}")
            sentence = Sentence(line=number + 1)
        elif line[0] == "#":
            key, _, value = line[1:].partition("=")
            sentence.comments[key.strip()] = value.strip()
        else:
            _add(sentence, line.split("\t"), f"{path}:{number}")


def _complete(sentence: Sentence, where: str) -> Sentence:
    if sentence.covered > len(sentence.words):
        seen = f"the sentence ends at word {len(sentence.words)}, in the token {shown(sentence.tokens[-1].form)}"
        raise BadInput(f"{where}: {seen}; expected words up to {sentence.covered}: repair the range or the words")
    return sentence


def _add(sentence: Sentence, fields: list[str], where: str) -> None:
    if len(fields) != 10:
        seen = shown(fields if len(fields) > 1 else fields[0])
        raise BadInput(f"{where}: {len(fields)} columns, {seen}; expected 10 separated by tabs: repair the line")
    if fields[0] == str(len(sentence.words) + 1):
        _add_word(sentence, fields)
    elif match := RANGE.fullmatch(fields[0]):
        _add_range(sentence, fields, int(match[1]), int(match[2]), where)
    elif not EMPTY_NODE.fullmatch(fields[0]):
        raise _wrong_id(sentence, fields[0], where)


def _add_word(sentence: Sentence, fields: list[str]) -> None:
    sentence.words.append(fields)
    if sentence.covered < len(sentence.words):
        sentence.tokens.append(Token(fields[FORM], 1, _space_after(fields)))
        sentence.covered += 1


def _add_range(sentence: Sentence, fields: list[str], first: int, last: int, where: str) -> None:
    expected = len(sentence.words) + 1
    if first != expected or last < first or sentence.covered >= first:
        seen = f"the range {shown(fields[0])}"
        raise BadInput(f"{where}: {seen}; expected one that starts at {expected}, the next word: repair the line")
    sentence.tokens.append(Token(fields[FORM], last - first + 1, _space_after(fields)))
    sentence.covered = last


def _space_after(fields: list[str]) -> bool:
    return "SpaceAfter=No" not in fields[MISC].split("|") if fields[MISC] != "_" else True


def _wrong_id(sentence: Sentence, seen: str, where: str) -> BadInput:
    expected = len(sentence.words) + 1
    again = seen == "1"
    remedy = "put a blank line between the sentences" if again else "repair the line"
    return BadInput(f"{where}: id {shown(seen)}; expected the integer {expected}: {remedy}")
