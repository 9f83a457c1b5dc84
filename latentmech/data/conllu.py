"""CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

Each feature in FEATS and MISC becomes a word column by its own name (`Number`, `Tense`, `Entity`); where both
use one name, FEATS wins. `_` is None. SpaceAfter says where the text has no space, so it is no column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern

from latentmech.data.examples import Examples, Span, distinct
from latentmech.data.files import read_text
from latentmech.data.sentences import DEPREL, FEATS, FORM, LEMMA, MISC, UPOS, XPOS, Sentence, sentences
from latentmech.data.spans import divide, join, locate
from latentmech.errors import BadInput, shown

FIXED = {"form": FORM, "lemma": LEMMA, "upos": UPOS, "xpos": XPOS, "deprel": DEPREL}


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
    ids = _ids(path, rows)
    columns = _columns(rows)
    return Examples(
        ids=ids,
        texts=tuple(row.text for row in rows),
        groups=_groups(path, rows, ids),
        splits=("",) * len(ids),
        spans=tuple(row.spans for row in rows),
        columns=columns,
        word_columns=frozenset(columns),
        source=str(path),
    )


def _ids(path: Path, rows: Sequence[_Row]) -> tuple[str, ...]:
    first_seen: dict[str, int] = {}
    for ordinal, row in enumerate(rows, start=1):
        name = row.comments.get("sent_id") or f"{path.stem}-{ordinal}"
        if name in first_seen:
            seen = f"sent_id {shown(name)} again, first at line {first_seen[name]}"
            raise BadInput(f"{path}:{row.line}: {seen}; expected unique ids: rename or delete this one")
        first_seen[name] = row.line
    return tuple(first_seen)


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
