"""What every report has in common, said once: provenance, the model, the data, few groups, what was switched off."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from latentmech.fields import idle, switched_off
from latentmech.report.report import Curve, Ledger, Method, Report
from latentmech.statistics import FEW, Estimate
from latentmech.storage import fingerprint, plain

TOO_FEW = 10  # groups: below, an interval is wide and is said to be


def account(
    study: Any,
    model: Any,
    ledger: Ledger,
    *,
    data: Any = None,
    groups: str = "groups",
    notes: Iterable[str] = (),
    methods: Iterable[Method] = (),
    provenance: Mapping[str, Any] | None = None,
    **own: Any,
) -> Report:
    """The report of a study: what it says itself, and what every one says.

    Args:
        study: its settings; controls that are switched off are named by their fields.
        data: the examples; their notes come first.
        groups: what intervals are taken over, such as `documents`.
        provenance: what else `run.json` is to hold.
        own: title, headline, tables, pictures and whatever else a `Report` has.
    """
    facts: dict[str, Any] = {
        "model": {"name": model.called, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision}
        | {"weights": plain(getattr(model, "weights", None))}
    }
    named = re.compile(rf"(?<!\w){re.escape(model.name)}(?!\w)")
    own |= {line: named.sub(lambda _: model.called, own[line]) for line in ("title", "headline")}
    if data is not None:
        facts["data"] = {"source": data.source, "fingerprint": fingerprint([data.texts, data.splits, data.spans])}
    about = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    if getattr(model, "engine", "transformers") != "transformers":
        about.append(
            f"{model.name} was run by {model.engine}; a twin with random weights, where there is one, by transformers."
        )
    about += getattr(model, "notes", ())
    said = [*(data.notes if data is not None else ()), *about, *notes, *_few(ledger, groups)]
    off = [f"Switched off by setting: {name}." for name in switched_off(study)]
    room = type(study).__module__.split(".")[1]
    off += [f"Without effect here: {name} ({why})." for name, why, said_so in idle(study, room) if said_so]
    return Report(
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        notes=tuple(dict.fromkeys([*said, *off])),
        methods=(*methods, *_intervals(ledger, groups)),
        provenance=facts | dict(provenance or {}),
        **own,
    )


def by_depth(axis: str, levels: Sequence[Any], curves: Mapping[str, Sequence[float]]) -> tuple[Curve, ...]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    steps = tuple(0.0 if level.layer is None else level.layer + 1.0 for level in levels)
    return tuple(Curve(name=name, axis=axis, steps=steps, values=tuple(values)) for name, values in curves.items())


def values(estimates: Iterable[Estimate]) -> list[float]:
    """As a line is drawn."""
    return [one.value for one in estimates]


def band(estimates: Iterable[Estimate]) -> tuple[list[float], list[float]]:
    """As what lies around a line is drawn."""
    ends = [(one.ci_low, one.ci_high) for one in estimates]
    return [low for low, _ in ends], [high for _, high in ends]


def _few(ledger: Ledger, groups: str) -> Iterator[str]:
    found = {row["groups"] for row in ledger.rows if row["groups"] and row["interval"] not in (None, "range")}
    if few := sorted(n for n in found if n < TOO_FEW):
        seen = str(few[0]) if len(few) == 1 else f"{few[0]} to {few[-1]}"
        yield f"Few {groups}: some intervals are over {seen} of them, too few to tell small differences."


def _intervals(ledger: Ledger, groups: str) -> Iterator[Method]:
    """How the intervals of a report were made, as far as it has any."""
    counts = {row["groups"] for row in ledger.rows if row["interval"] == "95% interval"}
    if any(n < FEW for n in counts):
        yield Method(
            f"Intervals are 95 % over {groups}: each is left out in turn, and the spread goes into Student's t with "
            "one degree of freedom less than there are groups; scores between 0 and 1 are judged by their log-odds.",
            ("bell2002", "cameron2008", "obuchowski1997"),
        )
    if any(n >= FEW for n in counts):
        bootstrap = f"Over {FEW} and more {groups} intervals are percentile bootstraps of whole groups (95 %)."
        yield Method(bootstrap, ("davison1997",))
    if any(row["interval"] == "exact bound" for row in ledger.rows):
        yield Method(
            f"A perfect score has the exact one-sided 95 % bound over {groups}: one that is not perfect counts as the "
            "worst there can be."
        )
