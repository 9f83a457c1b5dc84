"""Words by which two models can be compared: those that both read as whole tokens, each form once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from latentmech.data import Examples
from latentmech.errors import BadInput
from latentmech.geometry.compare.settings import FEWEST
from latentmech.model import Model, tokenise, word_rows
from latentmech.statistics import clusters_of


@dataclass(frozen=True, eq=False)
class CommonWords:
    """Which rows of a word-wise activation matrix are compared.

    Attributes:
        rows: their numbers.
        clusters: the document of each, numbered from 0.
        forms: the words.
        apart: how many words of the texts were left out because a model has them in one token with something else.
    """

    rows: Int[np.ndarray, " row"]
    clusters: Int[np.ndarray, " row"]
    forms: tuple[str, ...]
    apart: int


def common_words(models: list[Model], examples: Examples, limit: int, seed: int) -> CommonWords:
    """A seeded sample of words, one of each form, that every model has in tokens of their own.

    The first word of a text is left out: it may stand at position 0, whose state is unlike all others. Two words of
    one form have the same state before the first block, and would be each other's nearest neighbour for that alone.

    Raises:
        BadInput: there are no words, or too few that all models tokenise alike.
    """
    if examples.spans is None:
        raise BadInput(f"{examples.source} has no words; expected annotated words, such as a CoNLL-U file")
    own = np.logical_and.reduce([in_own_tokens(model, examples) for model in models])
    forms = [word for text in range(len(examples)) for word in examples.words(text)]
    first = np.concatenate([np.arange(size) == 0 for size in examples.sizes()])
    candidates = np.flatnonzero(own & ~first)
    shuffled = np.random.default_rng(seed).permutation(candidates)
    one_each = {forms[row]: int(row) for row in shuffled[::-1]}  # the first of the shuffle wins
    rows = np.array(sorted([row for row in shuffled if one_each[forms[row]] == row][:limit]), dtype=np.int64)
    if len(rows) < FEWEST:
        names = " and ".join(dict.fromkeys(model.name for model in models))
        seen = f"{len(rows)} word forms of {examples.source} stand in tokens of their own in {names}"
        raise BadInput(f"{seen}; expected at least {FEWEST}: take more text, or models whose tokenizers are more alike")
    document = np.repeat(np.array(examples.groups, dtype=object), examples.sizes())
    return CommonWords(rows, clusters_of(document[rows]), tuple(forms[row] for row in rows), int((~own).sum()))


def in_own_tokens(model: Model, examples: Examples) -> Bool[np.ndarray, " word"]:
    """Whether a word's tokens hold the word and nothing else but blanks before it."""
    assert examples.spans is not None
    tokens = tokenise(model, examples.texts, examples.ids)
    spans = np.array([span for words in examples.spans for span in words], dtype=np.int64).reshape(-1, 2)
    found = []
    for (text, first, last), (begin, end) in zip(word_rows(tokens, examples.spans, examples.ids), spans, strict=True):
        before = examples.texts[text][tokens.starts[text][first] : begin]
        found.append(tokens.ends[text][last] == end and tokens.starts[text][first] <= begin and not before.strip())
    return np.array(found, dtype=bool)
