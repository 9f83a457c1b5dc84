"""`VllmRequest`: what one text is run for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY = "latentmech"  # of a request's plan among its `extra_args`


@dataclass(frozen=True)
class VllmRequest:
    """One request: its tokens, what is wanted of them, and how many new ones."""

    ids: Sequence[int]
    plan: Mapping[str, Any]
    n_tokens: int = 1
    stop: Sequence[int] = ()
