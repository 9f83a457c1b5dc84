"""`Examples`: texts, their words and labels, where they belong. Knows no tokenizer and no tensor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """A corpus: one entry per text (a sentence, a prompt), and per word where words are annotated.

    Attributes:
        ids: one per text, unique.
        texts: the raw text.
        groups: what a text must not be separated from when splitting: its document, template, entity.
        splits: `train`, `dev` or `test`; empty strings until a split is made.
        spans: per text, each word's character span `[start, end)` in the text; None if there are no words.
        columns: label columns by name. A column holds one value per text, or, if `spans` is set and the
            name is in `word_columns`, a tuple with one value per word. None means "no label here".
        word_columns: the names in `columns` that are per word.
        own_splits: the splits came with the data and were not made by us.
        source: where the data came from, as the user wrote it.
        notes: what reading decided and a reader of the results must know; a study's report repeats them.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    splits: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...] | None = None
    columns: Mapping[str, tuple] = field(default_factory=dict)
    word_columns: frozenset[str] = frozenset()
    own_splits: bool = False
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def words(self, index: int) -> tuple[str, ...]:
        """Surface forms of the words of text `index`."""
        if self.spans is None:
            return ()
        text = self.texts[index]
        return tuple(text[start:end] for start, end in self.spans[index])

    def sizes(self) -> tuple[int, ...]:
        """How much each text weighs in a split or a sample: its words, or one if words are not annotated."""
        return (1,) * len(self) if self.spans is None else tuple(len(spans) for spans in self.spans)

    def select(self, indices: Sequence[int]) -> "Examples":
        """The texts at `indices`, in that order, with everything that belongs to them."""

        def pick(values: Sequence) -> tuple:
            return tuple(values[i] for i in indices)

        return replace(
            self,
            ids=pick(self.ids),
            texts=pick(self.texts),
            groups=pick(self.groups),
            splits=pick(self.splits),
            spans=None if self.spans is None else pick(self.spans),
            columns={name: pick(values) for name, values in self.columns.items()},
        )

    def where(self, keep: Callable[[int], bool]) -> "Examples":
        """The texts whose index satisfies `keep`."""
        return self.select([i for i in range(len(self)) if keep(i)])


def distinct(values: Iterable[str]) -> list[str]:
    """Values in order of first appearance, once each."""
    return list(dict.fromkeys(values))
