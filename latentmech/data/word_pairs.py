"""`WordPairs`: the settings that name analogies, and the call that reads them; and the bundled common words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from latentmech.data.analogies import Analogies
from latentmech.data.splits import seeded_order
from latentmech.data.word_files import read_analogies
from latentmech.errors import BadInput, expected


@dataclass(frozen=True)
class WordPairs:
    """Where word pairs come from. Called, it gives `Analogies` with two or more pairs in every relation.

    Attributes:
        path: a file with two columns, a CSV with `first,second` and perhaps `relation`, Google's questions-words, or
            a folder of such files; relative to the current directory. None reads the bundled pairs.
        relations: which relations to keep; None keeps all.
        limit: keep at most so many pairs of each relation.
        limit_seed: which ones.
    """

    path: str | Path | None = None
    relations: Sequence[str] | None = None
    limit: int | None = None
    limit_seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.relations, str):
            raise BadInput(f"relations={self.relations}; expected a list, such as relations=[{self.relations}]")
        if self.limit is not None and self.limit < 2:
            raise BadInput(f"limit={self.limit}; expected at least 2 pairs of a relation, or null to keep all")

    def __call__(self) -> Analogies:
        """Read, choose relations, limit."""
        analogies = _bundled() if self.path is None else read_analogies(Path(self.path).expanduser())
        if self.relations is not None:
            analogies = self._chosen(analogies, self.relations)
        return with_company(analogies if self.limit is None else self._limited(analogies, self.limit))

    def _chosen(self, analogies: Analogies, relations: Sequence[str]) -> Analogies:
        for name in relations:
            if name not in analogies.relations:
                raise BadInput(f"{analogies.source} has no relation {name!r}; {expected(name, analogies.relations)}")
        return analogies.where(lambda i: analogies.relation[i] in relations)

    def _limited(self, analogies: Analogies, limit: int) -> Analogies:
        kept: set[str] = set()
        for name in analogies.relations:
            own = [f"{name}/{f}" for f, r in zip(analogies.first, analogies.relation, strict=True) if r == name]
            kept |= set(seeded_order(own, self.limit_seed)[:limit])
        return analogies.where(lambda i: f"{analogies.relation[i]}/{analogies.first[i]}" in kept)


def common_words() -> tuple[str, ...]:
    """2,517 English words that occur in the bundled texts, the commonest first; names are not among them."""
    file = resources.files("latentmech.data") / "words" / "common.txt"
    return tuple(file.read_text(encoding="utf-8").split())


def with_company(analogies: Analogies) -> Analogies:
    """Without the pairs that are alone in their relation.

    Raises:
        BadInput: no pair is left, or there is no question about those that are.
    """
    count = Counter(analogies.relation)
    kept = analogies.where(lambda i: count[analogies.relation[i]] > 1)
    if not len(kept.questions):
        seen = f"{analogies.source}: {len(analogies)} usable word pairs, no two of one relation"
        raise BadInput(f"{seen}; expected at least two pairs: check the file, or leave geometry.data.relations out")
    return kept


def _bundled() -> Analogies:
    with resources.as_file(resources.files("latentmech.data") / "words") as folder:
        return replace(read_analogies(folder / "pairs.csv"), source="bundled pairs")
