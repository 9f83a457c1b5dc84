"""`Analogies`: pairs of words in relations, and which pair is asked by the example of which."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, kw_only=True)
class Analogies:
    """Word pairs such as (France, Paris), and questions such as "France is to Paris as Italy is to what?".

    Attributes:
        first: the word that a question starts from, per pair.
        second: the right answer, per pair.
        relation: what the two have to do with each other, per pair.
        questions: rows of (example pair, asked pair), both of one relation.
        source: where they came from, as the user wrote it.
        notes: what reading decided and a reader of the results must know.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    relation: tuple[str, ...]
    questions: Int[np.ndarray, "question 2"]
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.first)

    @property
    def words(self) -> tuple[str, ...]:
        """Every word once, in order of appearance."""
        return tuple(dict.fromkeys([*self.first, *self.second]))

    @property
    def relations(self) -> tuple[str, ...]:
        """Every relation once, in order of appearance."""
        return tuple(dict.fromkeys(self.relation))

    @cached_property
    def clusters(self) -> Int[np.ndarray, " pair"]:
        """A number for each pair, the same where the first word is: what is resampled together."""
        return np.unique(np.array(self.first, dtype=object), return_inverse=True)[1]

    def where(self, keep: Callable[[int], bool]) -> "Analogies":
        """The pairs whose index satisfies `keep`, and the questions between them."""
        kept = [i for i in range(len(self)) if keep(i)]
        new = np.full(len(self), -1)
        new[kept] = np.arange(len(kept))
        questions = new[self.questions]
        columns: dict[str, Any] = {
            name: tuple(getattr(self, name)[i] for i in kept) for name in ("first", "second", "relation")
        }
        return replace(self, **columns, questions=questions[(questions >= 0).all(1)])


def all_questions(relation: tuple[str, ...]) -> Int[np.ndarray, "question 2"]:
    """Every pair asked by the example of every other pair of its relation."""
    kind = np.unique(np.array(relation, dtype=object), return_inverse=True)[1]
    same = kind[:, None] == kind[None]
    np.fill_diagonal(same, False)
    return np.argwhere(same)
