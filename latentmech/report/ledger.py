"""`Ledger`: numbers written down once, as a flat metric and as a tidy row, so that the two cannot disagree."""

from collections.abc import Mapping
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
        """Write a number down under the flat `name`, and as a row whose `metric` and other columns are given."""
        estimate = value if isinstance(value, Estimate) else Estimate(float(value))
        interval = {"ci_low": estimate.ci_low, "ci_high": estimate.ci_high, "n": estimate.n or None}
        self.metrics[name] = estimate.value
        self.rows.append({**self.common, **columns, "metric": metric, "value": estimate.value, **interval})
