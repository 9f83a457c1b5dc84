"""Moments straight from the forward: texts run in chunks into one buffer, whose rows are added up and overwritten.

What is added up comes piece by piece from a `Pieces`, in memory or on the disk; neither memory nor disk grows with it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations.collection import Progress, Request, collect_into
from latentmech.activations.moments import JointMoments
from latentmech.data import Examples, Task, TextStream
from latentmech.errors import IntegrityError
from latentmech.model import Model, Templated, length_sorted, within
from latentmech.storage import fingerprint

LEFT_OUT = -1  # the label of what is not to count
Sums = dict[str, JointMoments]  # by hook point and part, as `name_of` puts them together


@dataclass(frozen=True, eq=False)
class Piece:
    """Texts that are read together.

    Attributes:
        labels: class numbers of every word (or text) of theirs, for each labelling; `LEFT_OUT` in all, or in none.
        part: which moments each word (or text) goes into.
        minus: the one that is subtracted from each before it is summed up once more, without labels; else `LEFT_OUT`.
    """

    examples: Examples
    labels: Int[np.ndarray, "labelling unit"]
    part: Int[np.ndarray, " unit"]
    minus: Int[np.ndarray, " unit"] | None = None


@runtime_checkable
class Pieces(Protocol):
    """Pieces, in an order that is always the same."""

    @property
    def key(self) -> dict[str, Any]:
        """What they depend on, as JSON: texts, labels, classes, splits."""

    @property
    def sizes(self) -> Sequence[int]:
        """How many classes each labelling has."""

    def __len__(self) -> int: ...

    def read(self, numbers: Collection[int]) -> Iterator[tuple[int, Iterator[Piece]]]:
        """The pieces of these numbers, in order; each may come in several parts, read one after the other."""


@dataclass(frozen=True, eq=False)
class Held:
    """A source that is in memory: labelled examples, from long texts to short, cut where a piece has its rows.

    Attributes:
        labels: as those of a `Piece`, of all words (or texts).
        partners: places of texts that must stay together, and that are subtracted from each other.
    """

    examples: Examples
    labels: Int[np.ndarray, "labelling unit"]
    sizes: Sequence[int]
    per_word: bool
    rows: int
    n_parts: int = 1
    partners: Int[np.ndarray, "pair 2"] | None = None

    @property
    def key(self) -> dict[str, Any]:
        """Labels by text and by labelling; ids and groups do not change what is summed up."""
        spans = self.examples.spans if self.per_word else None
        labels = fingerprint(self.labels.tolist())
        pairs = None if self.partners is None else self.partners.tolist()
        written = [isinstance(text, Templated) for text in self.examples.texts]  # these have no BOS of ours
        texts = fingerprint([self.examples.texts, spans, self.examples.splits, written])
        return {
            "texts": texts,
            "labels": labels,
            "sizes": [*self.sizes],
            "rows": self.rows,
            "pairs": fingerprint(pairs),
        }

    def __len__(self) -> int:
        return len(self._cut)

    def read(self, numbers: Collection[int]) -> Iterator[tuple[int, Iterator[Piece]]]:
        """Each piece as one."""
        for number, texts in enumerate(self._cut):
            if number in numbers:
                yield number, iter([self._piece(texts)])

    @cached_property
    def _sizes(self) -> Int[np.ndarray, " text"]:
        return np.array(self.examples.sizes() if self.per_word else (1,) * len(self.examples), dtype=np.int64)

    @cached_property
    def _begin(self) -> Int[np.ndarray, " text"]:
        return np.cumsum(self._sizes) - self._sizes

    @cached_property
    def _partner(self) -> dict[int, int]:
        return {} if self.partners is None else dict(self.partners.tolist())

    @cached_property
    def _cut(self) -> list[list[int]]:
        cut: list[list[int]] = []
        room = 0
        for texts in sorted(self._together(), key=lambda some: -max(len(self.examples.texts[i]) for i in some)):
            if room <= 0:
                cut.append([])
                room = self.rows
            cut[-1] += texts
            room -= int(self._sizes[texts].sum())
        return cut

    def _together(self) -> list[list[int]]:
        paired = {text for pair in self._partner.items() for text in pair}
        return [[*pair] for pair in self._partner.items()] + [[i] for i in range(len(self.examples)) if i not in paired]

    def _piece(self, texts: list[int]) -> Piece:
        units = np.concatenate([np.arange(self._begin[i], self._begin[i] + self._sizes[i]) for i in texts])
        examples, labels, part = self.examples.select(texts), self.labels[:, units], units % self.n_parts
        if self.partners is None:
            return Piece(examples, labels, part)
        own = np.cumsum(self._sizes[texts]) - self._sizes[texts]
        place, minus = dict(zip(texts, own.tolist(), strict=True)), np.full(len(units), LEFT_OUT)
        for text, begin in place.items():
            if text in self._partner:
                minus[begin : begin + self._sizes[text]] = place[self._partner[text]] + np.arange(self._sizes[text])
        return Piece(examples, labels, part, minus)


@dataclass(frozen=True, eq=False)
class Streamed:
    """A source on the disk: texts as they are read, with the classes of one of their columns, or as one class.

    Attributes:
        classes: labels that count, in the order of their numbers; what has another one, or none, is left out.
        split: only texts of this split; None takes all.
    """

    stream: TextStream
    model: Model
    column: str | None = None
    classes: tuple[str, ...] = ()
    per_word: bool = False
    split: str | None = None

    @property
    def key(self) -> dict[str, Any]:
        """The files, and what is made of them."""
        own = {"column": self.column, "classes": [*self.classes], "per_word": self.per_word, "split": self.split}
        return {"stream": self.stream.key, **own}

    @property
    def sizes(self) -> Sequence[int]:
        """One labelling."""
        return (len(self.classes) or 1,)

    def __len__(self) -> int:
        return len(self.stream)

    def read(self, numbers: Collection[int]) -> Iterator[tuple[int, Iterator[Piece]]]:
        """The stream's pieces."""
        for number, parts in self.stream.read(numbers):
            yield number, (self._piece(within(self.model, part)) for part in parts)

    def _piece(self, examples: Examples) -> Piece:
        if self.split is not None:
            examples = examples.in_split(self.split)
        n = sum(examples.sizes()) if self.per_word else len(examples)
        labels = np.zeros(n, dtype=np.int64)
        if self.column is not None:
            number = {label: i for i, label in enumerate(self.classes)}
            found = Task(self.column, self.column).labels(examples)
            if self.per_word and self.column not in examples.word_columns:
                found = [label for label, size in zip(found, examples.sizes(), strict=True) for _ in range(size)]
            labels = np.array([number.get(label or "", LEFT_OUT) for label in found], dtype=np.int64)
        return Piece(examples, labels[None], np.zeros(n, dtype=np.int64))


def name_of(hook_name: str, part: int = 0, what: str = "rows") -> str:
    """Under which name the moments of a hook point are: of the `rows` of a part, or of their `differences`."""
    return f"{hook_name}/{part}/{what}"


@dataclass(frozen=True)
class Reducer:
    """Adds pieces to sums; its buffer is used again for every chunk of them.

    An engine that can add up in its own process takes the place of `add`: it is handed the request, the texts of a
    chunk and the parts that their rows belong to, and has to give sums as `sums_of` does.

    Attributes:
        asked: makes the request for some texts.
        rows: of a chunk, about.
    """

    asked: Callable[[Examples], Request]
    sizes: Sequence[int]
    rows: int
    token_budget: int
    progress: Progress
    _memory: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def add(self, sums: Sums, piece: Piece) -> None:
        """Run the texts of a piece and add what comes of them."""
        if not len(piece.examples):
            return
        request = self.asked(piece.examples)
        unit = np.arange(len(request.rows)) if len(request.rows) == piece.labels.shape[1] else request.rows[:, 0]
        counted = piece.labels[0, unit] != LEFT_OUT
        request = replace(request, rows=request.rows[counted])
        number = np.full(len(counted), LEFT_OUT)
        number[counted] = np.arange(int(counted.sum()))
        minus = None if piece.minus is None else piece.minus[unit[counted]]
        minus = None if minus is None else np.where(minus == LEFT_OUT, LEFT_OUT, number[minus])
        parts = (piece.labels[:, unit[counted]], piece.part[unit[counted]], minus)
        for texts in [length_sorted(request.tokens.lengths)] if minus is not None else self._chunks(request):
            rows = request.rows_in(texts)
            if not len(rows):
                continue
            buffers = self._buffers(request, len(rows))
            collect_into(buffers, request, texts, self.token_budget, self.progress)
            for hook_name, buffer in zip(request.hook_names, buffers, strict=True):
                for name, own in sums_of(hook_name, buffer, rows, parts, self.sizes):
                    sums[name] = sums[name] + own if name in sums else own

    def _chunks(self, request: Request) -> list[list[int]]:
        chunks: list[list[int]] = []
        room = 0
        for text in length_sorted(request.tokens.lengths):
            if room <= 0:
                chunks.append([])
                room = self.rows
            chunks[-1].append(text)
            room -= len(request.of_text.get(text, ()))
        return chunks

    def _buffers(self, request: Request, n: int) -> list[Float[Tensor, "row d_model"]]:
        size = n * len(request.hook_names) * request.model.d_model
        if "rows" not in self._memory or len(self._memory["rows"]) < size:
            self._memory["rows"] = torch.empty(size, dtype=getattr(torch, request.model.dtype))
        return list(self._memory["rows"][:size].view(len(request.hook_names), n, -1).unbind())


def sums_of(
    hook_name: str, buffer: Float[Tensor, "row d_model"], rows: Int[np.ndarray, " row"],
    parts: tuple[np.ndarray, np.ndarray, np.ndarray | None], sizes: Sequence[int],
) -> Iterator[tuple[str, JointMoments]]:  # fmt: skip
    """The moments of one hook point's rows, by name.

    Args:
        rows: their numbers in the request.
        parts: by row number: labels, the part, and the row that is subtracted.

    Raises:
        IntegrityError: a row holds NaN or infinity.
    """
    labels, part, minus = parts
    if not bool(buffer.sum(dtype=torch.float32).isfinite()) and not bool(buffer.isfinite().all()):
        raise IntegrityError(f"{hook_name} overflows in {buffer.dtype}; set model.dtype=float32")
    place = np.full(labels.shape[1], LEFT_OUT)
    place[rows] = np.arange(len(rows))
    for number in np.unique(part[rows]).tolist():
        own = rows[part[rows] == number]
        here = torch.from_numpy(place[own])
        yield name_of(hook_name, number), JointMoments.of(buffer[here], torch.from_numpy(labels[:, own]), sizes)
        paired = own[minus[own] != LEFT_OUT] if minus is not None else own[:0]
        if len(paired) and minus is not None:
            first, second = (buffer[torch.from_numpy(place[some])].float() for some in (paired, minus[paired]))
            none = torch.empty(0, len(paired), dtype=torch.long)
            yield name_of(hook_name, number, "differences"), JointMoments.of(first - second, none, ())
