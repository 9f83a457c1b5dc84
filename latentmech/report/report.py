"""`Report`: everything a study has to say, before anyone decides where it goes; `Ledger` collects its numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from latentmech.report.figures.style import png
from latentmech.statistics import Estimate

ROW_COLUMNS = (
    *("study", "task", "layer", "site", "method", "control", "split", "seed", "strength"),
    *("metric", "value", "ci_low", "ci_high", "interval", "n", "groups"),
)
NUMBERS = {"seed": "Int64", "n": "Int64", "groups": "Int64"}
NUMBERS |= dict.fromkeys(("strength", "value", "ci_low", "ci_high"), "float64")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table as a reader sees it: `frame` holds raw numbers, `caption` says what to make of them."""

    title: str
    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A titled figure; `caption` is its alternative text, and says what is drawn."""

    title: str
    figure: Figure
    caption: str = ""

    @cached_property
    def png(self) -> bytes:
        """As a PNG file, drawn once: the page, the folder and a tracker show the same."""
        return png(self.figure)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One metric against an ordered axis, for trackers that draw curves: `steps[i]` has `values[i]`.

    `name` is the metric's flat name, such as `probe/dev/accuracy`; `axis` names the step, such as `depth`.
    """

    name: str
    axis: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@cache
def references() -> dict[str, str]:
    """The works that methods rest on, as BibTeX, by the key under which they are cited."""
    entries = (Path(__file__).parent / "references.bib").read_text(encoding="utf-8").strip().split("\n\n")
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in entries}


@dataclass(frozen=True)
class Method:
    """One step: what was done, in whole sentences, and after whom, by keys of `references()`."""

    said: str
    cites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [key for key in self.cites if key not in references()]:
            raise KeyError(f"no reference is called {unknown[0]}")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a study found.

    Attributes:
        title: one line that names study, task and model.
        headline: the answer, in one or two sentences of plain language.
        metrics: flat name -> number, as `metrics.json` holds them.
        rows: tidy rows, each a mapping over `ROW_COLUMNS` (missing keys are null).
        tables: named tables, in the order in which they are read; the console prints the first two.
        pictures: named figures, saved as `figures/<name>.png`.
        pages: named HTML documents that need nothing beside them, saved as `<name>.html`: what has to be turned and
            pointed at to be seen.
        curves: metrics against an axis, for trackers.
        notes: caveats and switched-off controls, one sentence each.
        methods: how it was found and tested, for a paper's appendix (`methods.md`).
        artifacts: file name -> (tensors, card), saved as safetensors with a JSON card beside.
        exports: name of a folder below the run's -> what fills it, given its path; for what is too large to hold.
        provenance: fingerprints of model and data, for `run.json`.
        labels: what a tracker compares runs by, such as the strength of a run with only one.
        failure: with what line a run is to end that has written all this and is not to count as done; none if empty.
    """

    title: str
    headline: str
    metrics: Mapping[str, float]
    rows: tuple[Mapping[str, Any], ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    artifacts: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=dict)
    exports: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""

    def frame(self) -> pd.DataFrame:
        """The rows as `results.parquet` has them: the columns `ROW_COLUMNS`, of types that do not depend on gaps."""
        kinds = {name: NUMBERS.get(name, "string") for name in ROW_COLUMNS}
        return pd.DataFrame({k: pd.Series([row.get(k) for row in self.rows], dtype=own) for k, own in kinds.items()})


@dataclass
class Ledger:
    """Collects the metrics and rows of one report: each number as both, so that the two cannot disagree.

    Attributes:
        common: columns that every row shares, such as study, task and site.
    """

    common: Mapping[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, value: Estimate | float | int, metric: str | None = None, **columns: Any) -> None:
        """Write a number down under the flat `name`, and as a row of these columns.

        Args:
            metric: the row's; default the last part of the name.

        Raises:
            ValueError: there is a number of that name already, which would be lost.
        """
        if name in self.metrics:
            raise ValueError(f"two numbers are called {name}; each needs a name of its own")
        one = value if isinstance(value, Estimate) else Estimate(float(value))
        around = {"ci_low": one.ci_low, "ci_high": one.ci_high, "interval": one.kind or None}
        counts = {"n": one.n or None, "groups": one.groups or None}
        self.metrics[name] = one.value
        metric = metric or name.rpartition("/")[2]
        self.rows.append({**self.common, **columns, "metric": metric, "value": one.value, **around, **counts})
