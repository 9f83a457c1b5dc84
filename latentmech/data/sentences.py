"""The blocks of a CoNLL-U file: comments, words of ten columns, and the surface tokens they make up.

A line `3-4` is one surface token written for the words 3 and 4 (*don't*). A line `8.1` is a word that was
understood but never written: it has no place in the text and is skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from latentmech.errors import BadInput, shown

FORM, LEMMA, UPOS, XPOS, FEATS, DEPREL, MISC = 1, 2, 3, 4, 5, 7, 9
RANGE = re.compile(r"(\d+)-(\d+)")
EMPTY_NODE = re.compile(r"\d+\.\d+")


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
