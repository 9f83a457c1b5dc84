"""Any value as plain JSON: what a study reports may hold numpy numbers, paths, tuples and NaN; files may not."""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any


def plain(value: Any) -> Any:
    """`value` with mappings as dicts, sequences as lists, numbers as numbers, NaN and infinity as null.

    JSON has no NaN; Python writes one all the same, and then other languages cannot read the file.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted(plain(item) for item in value)
    if hasattr(value, "tolist"):  # numpy and torch, numbers and arrays alike
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


as_plain = plain  # the name that other rooms know it by: that of a file cannot be a room's
