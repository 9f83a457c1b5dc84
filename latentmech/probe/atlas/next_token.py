"""The output itself: at each level, does the logit lens put the next token first?

Nothing is trained, so there are no control labels; the baselines are what a table says: the commonest next token of
train, and the commonest one after the word. Read at the last token of a word, where the treebank's activations are.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from latentmech.activations import Activations
from latentmech.data import Examples
from latentmech.model import Level, Model, says, tokenise, word_rows
from latentmech.probe.atlas.resampling import Resampled, resampled
from latentmech.probe.atlas.row import AtlasRow, best_of
from latentmech.probe.surface import lookup

WRONG = -1  # whatever the lens says instead of the right token


def next_token(
    model: Model,
    examples: Examples,
    activations: Activations,
    levels: Sequence[Level],
    n_tokens: int,
    n_draws: int,
    seed: int,
) -> AtlasRow:
    """The row of the output.

    Args:
        n_tokens: at most so many words of dev, and as many of test, are asked.
    """
    following = _Following(model, examples)
    parts = {split: following.sample(split, n_tokens, seed) for split in ("dev", "test")}

    def answers(split: str, level: Level) -> Int[np.ndarray, " row"]:
        states, target = (
            activations.level(level.hook_name)[torch.from_numpy(parts[split])],
            following.token[parts[split]],
        )
        return np.where(says(model, states, torch.from_numpy(target)).numpy(), target, WRONG)

    def scored(split: str, answered: list[np.ndarray]) -> Resampled:
        table = following.surface(parts[split])
        labels, clusters = following.token[parts[split]], following.clusters(parts[split])
        return resampled([*answered, *table.values()], labels, clusters, "accuracy", n_draws)

    dev = scored("dev", [answers("dev", level) for level in levels])
    best = levels[best_of(dev, len(levels))]
    return AtlasRow(
        name="next_token",
        stage="output",
        unit="token",
        metric="accuracy",
        source=examples.source,
        n_train=len(following.rows_in("train")),
        levels=levels,
        dev=dev,
        readers=["probe", "embed", *following.names],
        test=scored("test", [answers("test", best), answers("test", levels[0])]),
        baselines=following.names,
    )


class _Following:
    """The token after each word of a treebank."""

    names = ("majority", "lookup")

    def __init__(self, model: Model, examples: Examples):
        tokens = tokenise(model, examples.texts, examples.ids)
        rows = word_rows(tokens, examples.spans or (), examples.ids)
        self.token = np.array([_after(tokens.ids[text], last) for text, _, last in rows.tolist()], dtype=np.int64)
        self.form = np.array([word for i in range(len(examples)) for word in examples.words(i)], dtype=object)
        self.split = np.array(examples.splits)[rows[:, 0]]
        self.group = np.unique(np.array(examples.groups, dtype=object), return_inverse=True)[1][rows[:, 0]]

    def rows_in(self, split: str) -> Int[np.ndarray, " part"]:
        """Words of a split that have a token after them."""
        return np.flatnonzero((self.split == split) & (self.token != WRONG))

    def sample(self, split: str, n: int, seed: int) -> Int[np.ndarray, " part"]:
        """At most `n` of them, drawn at random."""
        return np.sort(np.random.default_rng(seed).permutation(self.rows_in(split))[:n])

    def clusters(self, rows: Int[np.ndarray, " part"]) -> Int[np.ndarray, " part"]:
        """Documents of some rows, numbered from 0."""
        return np.unique(self.group[rows], return_inverse=True)[1]

    def surface(self, rows: Int[np.ndarray, " part"]) -> dict[str, np.ndarray]:
        """The answers of the tables that train makes."""
        train = self.rows_in("train")
        commonest = Counter(self.token[train].tolist()).most_common(1)[0][0]
        n = int(self.token.max()) + 1
        table = lookup(self.form[train].tolist(), self.token[train], self.form[rows].tolist(), n)
        return {"majority": np.full(len(rows), commonest), "lookup": table}


def _after(ids: np.ndarray, last: int) -> int:
    """The token behind a word; WRONG where the text ends."""
    return int(ids[last + 1]) if last + 1 < len(ids) else WRONG
