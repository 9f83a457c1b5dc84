"""From findings to a `Report`: the answer in words, the tables, the pictures, the direction as a file."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.direction.audit import Audit
from latentmech.direction.direction import Direction
from latentmech.direction.findings import Findings
from latentmech.direction.sources import push_to_hub
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, Report, Table, heat_map, layer_curve
from latentmech.statistics import Estimate
from latentmech.storage import save_json

if TYPE_CHECKING:
    from latentmech.direction.study import DirectionStudy

NAMES = {
    "direction": "direction",
    "direction_from_matched": "direction from matched train texts",
    "bag_of_words": "bag of words, naive Bayes",
    "length": "length in characters",
    "final_punctuation": "last character",
    "first_word": "first word",
}


def present(study: "DirectionStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "direction", "task": study.called, "site": study.site, "method": study.method})
    _numbers(findings, ledger)
    own = findings.direction
    tables = {
        "test": table_on_test(findings),
        "layers": _layer_table(findings),
        "stability": _stability_table(findings),
    }
    tables |= {f"selection_{i}": table for i, table in enumerate(findings.choice.tables)}
    tables |= _relative_tables(findings)
    pictures = {"layer_curve": _layer_picture(study, findings, model), "grid": _grid_picture(study, findings, model)}
    pictures |= {f"selection_{i}": picture for i, picture in enumerate(findings.choice.pictures)}
    return Report(
        title=f"{study.called} direction in {model.name}",
        headline=_headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(_curves(findings)),
        notes=tuple(_notes(study, findings, model)),
        artifacts={f"directions/{study.called}.safetensors": own.packed()},
        exports={} if study.push is None else {"hub": partial(_pushed, own, study.push)},
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": own.card["data"],
        },
    )


def _pushed(direction: Direction, repo: str, folder: Path) -> None:
    """Upload the direction, and note where it went."""
    save_json(folder / "pushed.json", {"repository": repo, "commit": push_to_hub(direction, repo)})


def _headline(study: "DirectionStudy", findings: Findings, model: Model) -> str:
    test, best = findings.audit.test, findings.best
    where = f"block {best.level.layer} of {model.name} ({best.position})"
    said = f"At {where} the {study.called} direction separates test texts with AUROC {_interval(test)}."
    rivals = {r.name: r.raw.value for r in findings.audit.readings[1:] if r.name in ("bag_of_words", "length")}
    for name, values in _nulls(findings).items():
        rivals[name] = float(np.percentile(values, 95))
    strongest = max(rivals, key=lambda name: rivals[name])
    verdict = "more than" if test.ci_low > rivals[strongest] else "not clearly more than"
    said += f" That is {verdict} its strongest rival, {NAMES.get(strongest, strongest)} ({rivals[strongest]:.3f})."
    return f"{said} {_behaviour(findings, model)}".strip()


def _behaviour(findings: Findings, model: Model) -> str:
    """Whether the model does what the direction is named after."""
    shown = findings.shown
    if shown is None:
        return ""
    rates = f"{shown.name}: {shown.positive:.0%} of positive and {shown.negative:.0%} of negative test texts"
    if shown.positive - shown.negative >= 0.5:
        return f"{model.name} shows the behaviour itself ({rates})."
    return f"{model.name} does not show the behaviour itself ({rates}), so this is a direction of how the texts look."


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.ci_low:.3f}, {estimate.ci_high:.3f}]"


def _nulls(findings: Findings) -> dict[str, np.ndarray]:
    """The nulls that were not switched off."""
    nulls = {"random directions": findings.audit.random, "shuffled labels, best layer": findings.shuffled_max()}
    return {name: values for name, values in nulls.items() if len(values)}


def _numbers(findings: Findings, ledger: Ledger) -> None:
    """Every number once, as a flat metric and as a row."""
    best, several = findings.best, len(findings.positions) > 1
    layer = best.level.layer
    ledger.add("direction/layer", -1 if layer is None else layer, "layer")
    ledger.add("direction/dev/auroc", best.dev, "auroc", split="dev", layer=best.level.label)
    for candidate in findings.candidates:
        name = candidate.name if several else candidate.level.label
        columns = {"split": "dev", "layer": candidate.level.label}
        ledger.add(f"direction/{name}/dev/auroc", candidate.dev, "auroc", **columns)
        test = findings.test_auroc(candidate)
        ledger.add(f"direction/{name}/test/auroc", test, "auroc", split="test", layer=candidate.level.label)
        if len(candidate.random_dev):
            high = float(np.percentile(candidate.random_dev, 95))
            ledger.add(f"direction/{name}/dev/random_p95", high, "auroc", control="random_p95", **columns)
    _test_numbers(findings.audit, findings, ledger)
    _other_numbers(findings, ledger)


def _test_numbers(audit: Audit, findings: Findings, ledger: Ledger) -> None:
    layer = findings.best.level.label
    for reading in audit.readings:
        kind = "" if reading.name == "direction" else f"{reading.name}/"
        control = None if reading.name == "direction" else reading.name
        columns = {"layer": layer, "control": control}
        ledger.add(f"direction/{kind}test/auroc", reading.raw, "auroc", split="test", **columns)
        ledger.add(f"direction/{kind}matched/auroc", reading.matched, "auroc", split="matched", **columns)
    nulls = {"random": audit.random, "shuffled": findings.shuffled_max()}
    for name, values in nulls.items():
        if len(values):
            for which, value in (("p95", float(np.percentile(values, 95))), ("max", float(values.max()))):
                columns = {"split": "test", "layer": layer, "control": f"{name}_{which}"}
                ledger.add(f"direction/null/{name}_{which}", value, "auroc", **columns)


def _other_numbers(findings: Findings, ledger: Ledger) -> None:
    layer, stable = findings.best.level.label, findings.stability
    if stable.repeats:
        cosine = Estimate(stable.cosine, stable.low, stable.high, stable.repeats)
        ledger.add("direction/split_half_cosine", cosine, "cosine", split="train", layer=layer)
        ledger.add("direction/texts_for_cosine_0.9", stable.texts_needed, "texts", split="train", layer=layer)
    for other in findings.relatives:
        ledger.add(f"direction/cosine/{other.name}", other.cosine, "cosine", control=other.name, layer=layer)
    for data in findings.transfers:
        columns = {"control": data.name, "split": "transfer", "layer": layer}
        ledger.add(f"direction/transfer/{data.name}/auroc", data.auroc, "auroc", **columns)
        ledger.add(f"direction/transfer/{data.name}/exact_duplicates", data.exact, "texts", **columns)
        ledger.add(f"direction/transfer/{data.name}/near_duplicates", data.near, "texts", **columns)
    if findings.shown is not None:
        name = findings.shown.name.replace(" ", "_")
        ledger.add(f"direction/{name}/positive", findings.shown.positive, name, split="test", n=findings.shown.n)
        ledger.add(f"direction/{name}/negative", findings.shown.negative, name, split="test", n=findings.shown.n)


def table_on_test(findings: Findings) -> Table:
    """The direction beside everything that could explain it, on raw and on matched texts."""
    audit = findings.audit
    rows = [
        {
            "read by": NAMES[r.name],
            "auroc": r.raw.value,
            "low": r.raw.ci_low,
            "high": r.raw.ci_high,
            "matched": r.matched.value,
            "matched low": r.matched.ci_low,
            "matched high": r.matched.ci_high,
        }
        for r in audit.readings
    ]
    n = len(findings.parts.within("test"))
    for name, values in (("random directions", audit.random), ("shuffled labels, best layer", findings.shuffled_max())):
        for which, value in (("95th percentile", 95), ("largest", 100)) if len(values) else ():
            row = {"read by": f"{name}, {which}", "auroc": float(np.percentile(values, value))}
            if name == "random directions" and len(audit.random_matched):
                row["matched"] = float(np.percentile(audit.random_matched, value))
            rows.append(row)
    caption = (
        f"AUROC on {n} test texts, read once at the chosen place, and on the {audit.n_matched} of them that match in "
        "words and last character. Intervals are 95 %, over groups. Random directions count with their better sign; "
        "shuffled labels with the best layer and position of each shuffle."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def _layer_table(findings: Findings) -> Table:
    rows = []
    for c in findings.at_position():
        row = {"layer": c.level.tick, "mark": "best" if c is findings.best else "", "dev auroc": c.dev}
        row["test auroc"] = findings.test_auroc(c)
        row |= {"distance (std)": c.distance, "raw norm": c.norm}
        row["median resid norm"] = findings.direction.resid_norms[c.level.hook_name]
        if len(c.random_dev):
            row["random p95"] = float(np.percentile(c.random_dev, 95))
        rows.append(row)
    caption = (
        f"At {findings.best.position}. The place was chosen by {findings.choice.how}; test at the other levels is "
        "there to be looked at and decided nothing."
    )
    return Table(title="Layer by layer", frame=pd.DataFrame(rows), caption=caption)


def _stability_table(findings: Findings) -> Table:
    stable = findings.stability
    row = {"split-half cosine": stable.cosine, "low": stable.low, "high": stable.high, "texts in a half": stable.texts}
    row |= {"expected at all of train": stable.whole, "texts for cosine 0.9": stable.texts_needed}
    caption = f"Directions of two random halves of the training groups, {stable.repeats} halvings."
    return Table(title="Would other texts give the same direction?", frame=pd.DataFrame([row]), caption=caption)


def _relative_tables(findings: Findings) -> dict[str, Table]:
    tables = {}
    if findings.relatives:
        rows = [{"direction": r.name, "cosine": r.cosine, "noise ceiling": r.ceiling} for r in findings.relatives]
        caption = "Same layer, same rule. The ceiling is what noise in both directions leaves of a true cosine of 1."
        tables["relatives"] = Table(title="Beside the other directions", frame=pd.DataFrame(rows), caption=caption)
    if findings.transfers:
        rows = [
            {
                "data": t.name,
                "auroc": t.auroc.value,
                "low": t.auroc.ci_low,
                "high": t.auroc.ci_high,
                "texts": t.n,
                "in train, exactly": t.exact,
                "nearly": t.near,
            }
            for t in findings.transfers
        ]
        caption = "Data of one kind only are set against the negative test texts."
        tables["transfer"] = Table(title="In other data", frame=pd.DataFrame(rows), caption=caption)
    return tables


def _layer_picture(study: "DirectionStudy", findings: Findings, model: Model) -> Picture:
    chosen = findings.at_position()
    ticks = [c.level.tick for c in chosen]
    bands = {}
    if len(chosen[0].random_dev):
        drawn = [np.percentile(c.random_dev, [5, 95]) for c in chosen]
        bands["random directions, 5–95 %"] = ([d[0] for d in drawn], [d[1] for d in drawn])
    lines = {"bag of words (test)": next(r for r in findings.audit.readings if r.name == "bag_of_words").raw.value}
    title = f"{study.called} in {model.name}"
    series = {"direction": [c.dev for c in chosen]}
    figure = layer_curve(ticks, series, bands, lines, "dev AUROC", title, best=findings.best.level.tick)
    caption = "Dev AUROC of the direction at every level, and what random directions reach with their better sign."
    return Picture(title="Layer curve", figure=figure, caption=caption)


def _grid_picture(study: "DirectionStudy", findings: Findings, model: Model) -> Picture:
    levels = list(dict.fromkeys(c.level.tick for c in findings.candidates))
    grid = np.array([c.dev for c in findings.candidates]).reshape(len(levels), -1).T
    figure = heat_map(
        grid,
        findings.positions,
        levels,
        title=f"Dev AUROC of the {study.called} direction in {model.name}",
        xlabel="level of the residual stream",
        ylabel="position",
        bar="AUROC",
        marks=[(findings.positions.index(findings.best.position), levels.index(findings.best.level.tick))],
    )
    return Picture(title="Every layer and position", figure=figure, caption="Dev AUROC; the chosen place is framed.")


def _curves(findings: Findings) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    chosen = findings.at_position()
    depth = tuple(0.0 if c.level.layer is None else c.level.layer + 1.0 for c in chosen)
    yield Curve(name="direction/dev/auroc", axis="direction/depth", steps=depth, values=tuple(c.dev for c in chosen))
    if len(chosen[0].random_dev):
        high = tuple(float(np.percentile(c.random_dev, 95)) for c in chosen)
        yield Curve(name="direction/dev/random_p95", axis="direction/depth", steps=depth, values=high)


def _notes(study: "DirectionStudy", findings: Findings, model: Model) -> list[str]:
    notes = [*findings.contrast.notes, *findings.choice.notes]
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    if findings.shown is not None and findings.shown.positive - findings.shown.negative < 0.5:
        notes.append(_behaviour(findings, model))
    off = {
        "random directions": study.random_draws == 0,
        "shuffled labels": study.shuffles == 0,
        "split halves": study.halvings == 0,
        "cosines to other directions": not study.compare,
    }
    return notes + [f"Switched off by setting: {name}." for name, is_off in off.items() if is_off]
