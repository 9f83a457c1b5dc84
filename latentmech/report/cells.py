"""Numbers as a reader wants them: three digits that matter, counts in full, gaps as a dash."""

import math
from typing import Any

import numpy as np
import pandas as pd

GAP = "–"


def visible(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a named index as its first columns; an unnamed index is only a count and is dropped."""
    return frame.reset_index() if any(frame.index.names) else frame


def columns_of(frame: pd.DataFrame) -> list[pd.Series]:
    """Its columns, of which two may have one name."""
    return [frame.iloc[:, i] for i in range(frame.shape[1])]


def column_cells(column: pd.Series) -> list[str]:
    """A column as text. Whole numbers that a gap turned into floats are shown whole again."""
    known = [value for value in column if not _is_gap(value)]
    whole = is_numeric(column) and all(float(v).is_integer() for v in known)
    if whole and any(isinstance(v, int) or abs(v) > 1 for v in known):  # scores of exactly 0 and 1 stay decimals
        return [GAP if _is_gap(value) else f"{int(value):,}" for value in column]
    return [cell(value) for value in column]


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers, to be set flush right."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def cell(value: Any) -> str:
    """One value as text: three decimals, and the power of ten where they would hide the number."""
    if _is_gap(value):
        return GAP
    if not isinstance(value, float | np.floating):
        return str(value)
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    if not 1e-3 <= abs(number) < 1e5:
        return f"{number:.2e}"
    return f"{number:,.3f}" if abs(number) < 100 else f"{number:,.1f}"


def _is_gap(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))
