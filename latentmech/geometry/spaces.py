"""The spaces in which words lie: the embedding, every block (the word in a template), the unembedding, static vectors.

In a block, a word is the state of its last sub-word token. In the embedding and the unembedding, which know tokens
only, a word of several tokens is the mean of their rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.model import Model, embedding, levels_of, tokenise, unembedding, word_rows


@dataclass(frozen=True)
class WordSpace:
    """Vectors of a list of words.

    Attributes:
        name: `glove`, `embed`, `layer_07` or `unembed`, as metric names spell it.
        tick: the same as an axis shows it.
        role: `static`, `state` or `unembedding`, as `prepared` wants to know it.
        layer: the block, if it is one.
    """

    name: str
    tick: str
    vectors: Float[Tensor, "word d"]
    role: str = "state"
    layer: int | None = None


def in_template(words: Sequence[str], template: str) -> Examples:
    """Every word in the template, marked."""
    before = template.index("{}")
    return Examples(
        ids=tuple(words),
        texts=tuple(template.replace("{}", word) for word in words),
        groups=tuple(words),
        splits=("",) * len(words),
        spans=tuple(((before, before + len(word)),) for word in words),
        source=template,
    )


def tokens_of(model: Model, examples: Examples) -> list[Int[np.ndarray, " token"]]:
    """The ids of the tokens that make up each word of `in_template`."""
    tokens = tokenise(model, examples.texts, examples.ids)
    assert examples.spans is not None
    rows = word_rows(tokens, examples.spans, examples.ids)
    return [tokens.ids[text][first : last + 1] for text, first, last in rows.tolist()]


def table_rows(table: Float[Tensor, "token d"], words: Sequence[Int[np.ndarray, "_"]]) -> Float[Tensor, "word d"]:
    """The mean of each word's rows."""
    return torch.stack([table[torch.from_numpy(ids)].mean(0) for ids in words])


def model_spaces(
    model: Model, store: ActivationStore, examples: Examples, site: str, layers: Sequence[int] | str
) -> Iterator[WordSpace]:
    """Embedding, blocks and unembedding, one after the other, so that one is in memory at a time."""
    words = tokens_of(model, examples)
    yield WordSpace("embed", "embed", table_rows(embedding(model), words))
    levels = levels_of(model.n_layers, site, layers)[1:]
    if levels:
        activations = store.get(model, examples, levels, "word_last")
        for level in levels:
            yield WordSpace(level.label, level.tick, activations.level(level.hook_name), layer=level.layer)
    yield WordSpace("unembed", "unembed", table_rows(unembedding(model), words), "unembedding")
