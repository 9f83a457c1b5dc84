"""What a word is where nobody has marked them: in English what `\\w+` finds, and something in every other script.

Letters, digits and the signs on them that stand together are a word: the vowel signs of Hindi, Tamil or Thai belong to
the letter before them, which `\\w` does not know. Chinese, Japanese, Thai, Lao, Khmer and Burmese write no blanks
between words. There every two neighbouring characters are a word, as search engines have it (Nie & Ren 1999, "Chinese
information retrieval: using characters or words?"): no dictionary is needed, and most words are in it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from unicodedata import category, normalize

UNBROKEN = (  # letters of scripts that write no blanks between words
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u0eff\u1000-\u1049\u1050-\u109f"  # Thai, Lao, Burmese
    "\u1780-\u17d3\u17dc-\u17e9\u1950-\u19df\u1a20-\u1a7f\uaa60-\uaadd"  # Khmer, Tai, more Burmese
    "\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"  # kana and Han above, rarer Han here
)
JOINERS = "\u200c\u200d"  # stand inside words of Persian and of Indian scripts
PLANES = 0x20000  # characters below which all signs on letters are, but for variants of whole characters
PLAIN = re.compile(r"\w+(?:'\w+)?")


def words_of(text: str) -> list[str]:
    """Words in small letters; where a script has no blanks, its pairs of characters."""
    return [word for found in _found(text) for word in _pairs(found)]


def terms_of(text: str) -> list[str]:
    """Words as search engines count them: parted at apostrophes, and in scripts with blanks none of one letter."""
    found = _found(text.replace("'", " ").replace("\u2019", " "))
    return [word for one in found for word in _pairs(one) if len(word) > 1 or is_unbroken(word)]


def units_of(text: str) -> list[str]:
    """What stands between blanks, as it is written; where a script has no blanks, its characters."""
    return [unit for part in text.split() for unit in (_characters(part) if is_unbroken(part) else [part])]


def length_in_words(text: str) -> int:
    """How many words there are; where a script has no blanks, two characters count as one."""
    return sum(-(-len(_characters(part)) // 2) if is_unbroken(part) else 1 for part in text.split())


def is_unbroken(text: str) -> bool:
    """Whether any of it is in a script without blanks between words."""
    return re.search(f"[{UNBROKEN}]", text) is not None


def said_of_words(texts: Sequence[str]) -> Iterable[str]:
    """What a reader must know of texts whose words nobody can see."""
    n = sum(map(is_unbroken, texts))
    if n:
        yield (
            f"{n} of {len(texts)} texts are in a script without blanks between words: where words are counted without "
            "a model (bag of words, first word, BM25, near-duplicates), two neighbouring characters are one"
        )


def _found(text: str) -> list[str]:
    """Words, and runs of characters without blanks, in small letters."""
    return (PLAIN if text.isascii() else _pattern()).findall(normalize("NFC", text.lower()))


def _pairs(found: str) -> Iterable[str]:
    characters = _characters(found) if is_unbroken(found[0]) else [found]
    return [a + b for a, b in pairwise(characters)] if len(characters) > 1 else characters


def _characters(run: str) -> list[str]:
    """The characters of a run without blanks, each with the signs on it."""
    return re.findall(f".[{signs()}]*", normalize("NFC", run))


@cache
def signs() -> str:
    """Everything that is written on or into a letter and is none itself, as the inside of a character class."""
    return JOINERS + "".join(re.escape(chr(c)) for c in range(PLANES) if category(chr(c))[0] == "M")


@cache
def _pattern() -> re.Pattern[str]:
    """A run of characters without blanks, or a word with its apostrophe."""
    letter = f"[^\\W{UNBROKEN}]"
    word = f"{letter}+(?:[{signs()}]+{letter}*)*"
    return re.compile(f"[{UNBROKEN}](?:[{UNBROKEN}{signs()}])*|{word}(?:['\u2019]{word})?")
