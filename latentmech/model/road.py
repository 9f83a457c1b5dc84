"""`Road`: how a model is run, by what it was seen to do right."""

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Road:
    """The quick road unless a model gives other numbers on it than plain transformers gives.

    Attributes:
        left_padding: texts of different lengths may end in the same column; else texts are padded on the right, and
            generated from one at a time.
        cache: a generation may keep what its blocks keep of the tokens before; else every step runs the whole text.
        off_float32: how far states are from those of the unquantised weights in float32, relative to their length;
            NaN where it could not be measured, None where there is nothing to measure.
        because: why it could not, or the level where they are furthest.
    """

    left_padding: bool = True
    cache: bool = True
    off_float32: float | int | None = None
    because: str = ""

    @property
    def is_quick(self) -> bool:
        """Whether nothing has to be gone round."""
        return self.left_padding and self.cache

    def notes(self, name: str) -> Iterator[str]:
        """What a reader should know of it."""
        if not self.left_padding:
            yield f"{name} reads padding on the left as text: it is padded on the right, and generates text by text."
        if not self.cache:
            yield f"{name} gives other numbers with a cache than without: every step of an answer runs the whole text."
        if self.off_float32 is None:
            return
        if math.isnan(self.off_float32):
            yield f"How far states of {name} are from those in float32 is not known: {self.because}."
        else:
            how = f"{self.off_float32:.1%} off those in float32 (a median token, at {self.because})"
            yield f"States of {name} are {how}."
