"""Texts as token ids with character offsets, and where in them each word lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from latentmech.errors import BadInput, listed
from latentmech.model.chat import Templated
from latentmech.model.handle import Model


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts; entry `i` of each tuple belongs to text `i`.

    Attributes:
        ids: token ids, BOS included where the model's policy prepends one.
        starts: first character of each token (0 for BOS).
        ends: character after each token's last (0 for BOS).
        n_bos: how many tokens were prepended to each text: 0 or 1.
    """

    ids: tuple[Int[np.ndarray, "_"], ...]
    starts: tuple[Int[np.ndarray, "_"], ...]
    ends: tuple[Int[np.ndarray, "_"], ...]
    n_bos: tuple[int, ...]

    @cached_property
    def lengths(self) -> Int[np.ndarray, " text"]:
        """Number of tokens of each text."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)


def tokenise(model: Model, texts: Sequence[str], names: Sequence[str]) -> Tokens:
    """Tokenise `texts` under the model's BOS policy; nothing is ever cut off.

    A text that begins with the BOS token gets no second one, and one that a chat template wrote (`Templated`) only
    the one that the template wrote.

    Args:
        names: one per text, for messages.

    Raises:
        BadInput: a text is empty, or longer than the model's context.
    """
    encoded = model.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
    bos = model.tokenizer.bos_token_id if model.prepend_bos else None
    n_bos = tuple(
        int(bos is not None and row[:1] != [bos] and not isinstance(text, Templated))
        for text, row in zip(texts, encoded["input_ids"], strict=True)
    )
    ids = tuple(np.array([bos] * n + row, dtype=np.int64) for n, row in zip(n_bos, encoded["input_ids"], strict=True))
    offsets = [
        np.array([(0, 0)] * n + row, dtype=np.int64).reshape(-1, 2)
        for n, row in zip(n_bos, encoded["offset_mapping"], strict=True)
    ]
    _check_lengths(ids, n_bos, names, model)
    return Tokens(ids, tuple(o[:, 0] for o in offsets), tuple(o[:, 1] for o in offsets), n_bos)


def _check_lengths(ids: Sequence[np.ndarray], n_bos: Sequence[int], names: Sequence[str], model: Model) -> None:
    empty = [name for name, row, prepended in zip(names, ids, n_bos, strict=True) if len(row) == prepended]
    if empty:
        raise BadInput(f"text {empty[0]} is empty; remove it from the data")
    long = [f"{name} has {len(row)}" for name, row in zip(names, ids, strict=True) if len(row) > model.n_ctx]
    if long:
        seen = f"{len(long)} of {len(ids)} texts are longer than the {model.n_ctx} tokens that {model.name} reads"
        remedy = "shorten or remove them, or say what to do with them by the setting data.too_long"
        raise BadInput(f"{seen}: {listed(long, 5)}; {remedy}")


def word_rows(
    tokens: Tokens, spans: Sequence[Sequence[tuple[int, int]]], names: Sequence[str]
) -> Int[np.ndarray, "row 3"]:
    """The tokens that overlap each word: rows of (text, first token, last token), in order of text and word.

    A token belongs to a word if they share a character, so it does not matter whether the tokenizer keeps
    spaces in front, behind, or drops them. Two words inside one token share it.

    Raises:
        BadInput: no token covers a word.
    """
    found = []
    for text, words in enumerate(spans):
        span = np.array(words, dtype=np.int64).reshape(-1, 2)
        n_bos = tokens.n_bos[text]
        starts, ends = tokens.starts[text][n_bos:], tokens.ends[text][n_bos:]
        first = np.searchsorted(ends, span[:, 0], side="right")
        last = np.searchsorted(starts, span[:, 1], side="left") - 1
        if (first > last).any():
            word = int(np.argmax(first > last))
            raise BadInput(
                f"word {word + 1} of text {names[text]} is covered by no token; check its spelling and spaces"
            )
        found.append(np.stack([np.full(len(span), text), first + n_bos, last + n_bos], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 3), dtype=np.int64)


def text_rows(tokens: Tokens) -> Int[np.ndarray, "row 3"]:
    """One row per text, over all its tokens but BOS."""
    n = len(tokens.ids)
    return np.stack([np.arange(n), np.array(tokens.n_bos, dtype=np.int64), tokens.lengths - 1], axis=1)


def token_rows(tokens: Tokens) -> Int[np.ndarray, "row 3"]:
    """One row per token, but for the first of each text, whose norm is a hundred times that of others."""
    sizes = tokens.lengths - 1
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    return np.stack([np.repeat(np.arange(len(sizes)), sizes), place, place], axis=1)
