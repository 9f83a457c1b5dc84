"""Which token a text goes on with: that of the text and the word together, never of the word alone.

A tokenizer may write a word otherwise behind a bracket than after a blank, or join it with the end of the text. So the
token that counts is the first behind what all words leave of the text, and the model is given the text up to there:

    t(text + word) = (t_1 ... t_k, w, ...)     t(text') = (t_1 ... t_k)     k the same for all words

A blank that is a token of its own in front of every word belongs to the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentmech.errors import BadInput
from latentmech.model.handle import Model


@dataclass(frozen=True)
class NextWords:
    """A text, and the token that each of some words begins with behind it.

    Attributes:
        text: up to where the words differ: without a blank at its end that belongs to the words' own tokens.
        first: the token id of each word.
    """

    text: str
    first: Mapping[str, int]


def next_words(model: Model, texts: Sequence[str], words: Sequence[Sequence[str]]) -> list[NextWords]:
    """The first token of each word behind its text, in the tokens of both together.

    Args:
        words: for each text, as it goes on: with the blank in front, if one is meant.

    Raises:
        BadInput: no words, or a tokenizer that joins the end of a text with what follows in several ways.
    """
    if not all(words):
        raise BadInput("no words were given to score the next token by; give some in trials.towards and trials.away")
    joined = [text + word for text, own in zip(texts, words, strict=True) for word in own]
    encoded = model.tokenizer([*texts, *joined], add_special_tokens=False, return_offsets_mapping=True)
    rows, spans = encoded["input_ids"], encoded["offset_mapping"]
    found, at = [], len(texts)
    for text, own, alone in zip(texts, words, rows, strict=False):
        behind, ends = rows[at : at + len(own)], [end for _, end in spans[at]]
        at += len(own)
        k = _n_before(model, alone, behind)
        if k != len(alone):
            text = _until(model, type(text)((text + own[0])[: ends[k - 1] if k else 0]), behind[0][:k])
        found.append(NextWords(text, {word: row[k] for word, row in zip(own, behind, strict=True)}))
    return found


def _n_before(model: Model, alone: Sequence[int], behind: Sequence[Sequence[int]]) -> int:
    """How many tokens stand before the first one that a word decides; each row has one more at least."""

    def agreed(k: int, row: Sequence[int]) -> bool:
        return len(row) > k + 1 and row[k] == behind[0][k]

    k = 0
    while all(agreed(k, row) for row in behind) and (k >= len(alone) or alone[k] == behind[0][k]):
        if k >= len(alone) and str(model.tokenizer.decode([behind[0][k]])).strip():
            break
        k += 1
    return k


def _until(model: Model, text: str, ids: Sequence[int]) -> str:
    """The text, if these are its tokens."""
    if not ids or model.tokenizer(text, add_special_tokens=False)["input_ids"] != list(ids):
        raise BadInput(
            f"the tokenizer of {model.name} joins what follows with the end of {text[-30:]!r}, so no next token can be "
            "scored there; end the prompts elsewhere"
        )
    return text
