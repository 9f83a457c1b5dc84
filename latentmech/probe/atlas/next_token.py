"""The output itself: at each level, does the logit lens put the next token first?

Nothing is trained, so there are no control labels; the rivals are what a table says: the commonest next token of train,
and the commonest one after the word. Read at the last token of a word, where the treebank's activations are.
"""

from collections import Counter

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Examples
from latentmech.model import Model, says, tokenise, word_rows
from latentmech.probe.surface import lookup
from latentmech.statistics import Tally, clusters_of, mean_of

WRONG = -1  # where there is no next token
Rows = Int[np.ndarray, " part"]


class NextTokens:
    """The token after each word of a treebank, and who foresees it."""

    def __init__(self, model: Model, examples: Examples):
        tokens = tokenise(model, examples.texts, examples.ids)
        rows = word_rows(tokens, examples.spans or (), examples.ids)
        self.model = model
        ends = [(tokens.ids[text], last + 1) for text, _, last in rows.tolist()]
        self.token = np.array([ids[end] if end < len(ids) else WRONG for ids, end in ends], dtype=np.int64)
        self.form = np.array([word for i in range(len(examples)) for word in examples.words(i)], dtype=object)
        self.split = np.array(examples.splits)[rows[:, 0]]
        self.group = np.array([f"{examples.source}: {group}" for group in examples.groups], dtype=object)[rows[:, 0]]

    def rows_in(self, split: str) -> Rows:
        """Words of a split that have a token after them."""
        return np.flatnonzero((self.split == split) & (self.token != WRONG))

    def sample(self, split: str, n: int, seed: int) -> Rows:
        """At most `n` of them, drawn at random."""
        return np.sort(np.random.default_rng(seed).permutation(self.rows_in(split))[:n])

    def by_lens(self, rows: Rows, level: Float[Tensor, "row d_model"]) -> Tally:
        """How often a level, read through the head, says the next token of some rows."""
        right = says(self.model, level[torch.from_numpy(rows)], torch.from_numpy(self.token[rows])).numpy()
        return self._share(rows, right)

    def by_tables(self, rows: Rows) -> dict[str, Tally]:
        """How often the tables that train makes do."""
        return {name: self._share(rows, answers == self.token[rows]) for name, answers in self.surface(rows).items()}

    def surface(self, rows: Rows) -> dict[str, Rows]:
        """What the tables answer."""
        train = self.rows_in("train")
        commonest = Counter(self.token[train].tolist()).most_common(1)[0][0]
        n = int(self.token.max()) + 1
        table = lookup(self.form[train].tolist(), self.token[train], self.form[rows].tolist(), n)
        return {"majority": np.full(len(rows), commonest), "lookup": table}

    def _share(self, rows: Rows, right: np.ndarray) -> Tally:
        return mean_of(right.astype(float), clusters_of(self.group[rows]), 0, 1)
