"""`Ledger`: numbers written down once, as a flat metric and as a tidy row, so that the two cannot disagree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latentmech.statistics import Estimate


@dataclass
class Ledger:
    """Collects the metrics and rows of one report.

    Attributes:
        common: columns that every row shares, such as study, task and site.
    """

    common: Mapping[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, value: Estimate | float | int, metric: str, **columns: Any) -> None:
        """Write a number down under the flat `name`, and as a row whose `metric` and other columns are given.

        Raises:
            ValueError: there is a number of that name already, which would be lost.
        """
        if name in self.metrics:
            raise ValueError(f"two numbers are called {name}; each needs a name of its own")
        one = value if isinstance(value, Estimate) else Estimate(float(value))
        around = {"ci_low": one.ci_low, "ci_high": one.ci_high, "interval": one.kind or None}
        counts = {"n": one.n or None, "groups": one.groups or None}
        self.metrics[name] = one.value
        self.rows.append({**self.common, **columns, "metric": metric, "value": one.value, **around, **counts})

    def few_groups(self, below: int) -> Iterable[int]:
        """The numbers of groups, ascending, that some interval has and that lie below a limit."""
        found = {row["groups"] for row in self.rows if row["groups"] and row["interval"] not in (None, "range")}
        return sorted(n for n in found if n < below)
