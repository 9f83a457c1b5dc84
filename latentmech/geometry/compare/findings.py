"""What a comparison found, before it is put into numbers, tables, pictures and words."""

from collections.abc import Sequence
from dataclasses import dataclass

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.common_words import Words
from latentmech.model import Model
from latentmech.steering import Trials


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of it.

    Attributes:
        found: the model against each other one, in the order in which they were given.
        twin: against its random-init twin, if that was asked for.
        trials: the prompts by which steered models were scored, if they were.
        warnings: what a reader must know about a saved direction.
    """

    model: Model
    words: Words
    found: Sequence[Against]
    twin: Against | None
    trials: Trials | None
    warnings: Sequence[str]

    @property
    def several(self) -> bool:
        """Whether results have to be told apart by the other model's name."""
        return len(self.found) > 1
