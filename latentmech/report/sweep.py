"""The end of a sweep: how its jobs went, and what they found together."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from latentmech.report.console import print_table
from latentmech.report.figures.levels import layer_curve
from latentmech.report.report import Curve, Picture, Report, Table

AXIS = "sweep/strength"
SOUND = ("done", "filled")  # `filled`: a share of the activations, by a job that leaves the rest to others
COMPARED = ("effect", "kl", "perplexity_factor", "repetition")  # what is drawn against strength


def print_sweep(folder: Path, asked: Sequence[str] = (), console: Console | None = None) -> int:
    """Print a table of the jobs in `folder` that failed, or that they are all done; returns how many failed.

    Args:
        asked: the commands of the jobs that there should be; one without a record never began, and has failed.
    """
    console = console or Console()
    jobs = {path.parent.name: json.loads(path.read_text()) for path in _of_jobs(folder, "run.json")}
    begun = {job["command"] for job in jobs.values()}
    late = {str(n): command for n, command in enumerate(asked) if command not in begun}
    jobs |= {name: {"status": "never began", "command": command} for name, command in late.items()}
    failed = {name: job for name, job in jobs.items() if job["status"] not in SOUND}
    if failed:  # a record that still says `running` is of a job that was killed before it could say anything else
        killed = {"running": "killed"}
        rows = [[name, killed.get(job["status"], job["status"]), job["command"]] for name, job in failed.items()]
        frame = pd.DataFrame(rows, columns=["job", "status", "command"])
        print_table(console, Table(title=f"{len(failed)} of {len(jobs)} jobs failed", frame=frame))
    else:
        console.print(f"{len(jobs)} jobs done, none failed: {folder}", soft_wrap=True)
    return len(failed)


def _of_jobs(folder: Path, name: str) -> list[Path]:
    """A file of every job's, but not that of the summary of an earlier try."""
    return [path for path in sorted(folder.glob(f"*/{name}")) if path.parent.name != "summary"]


def joined(folder: Path) -> Report | None:
    """The jobs of a sweep over strengths as one report; None where the jobs have no strengths to be compared by.

    What else the jobs differ in, a setting or the block, the model or the data that came of it, is never averaged over:
    each value has a curve of its own.
    """
    jobs = {path.parent: pd.read_parquet(path) for path in _of_jobs(folder, "results.parquet")}
    parts = [_compared(rows).assign(curve=name) for name, rows in zip(_told_apart(jobs), jobs.values(), strict=True)]
    rows = pd.concat(parts) if parts else pd.DataFrame({"strength": []})
    if rows["strength"].nunique() < 2:
        return None
    table = rows.pivot_table(index=["curve", "strength"], columns="metric", values="value", aggfunc="first")
    metrics, names, task = list(table.columns), list(dict.fromkeys(rows["curve"])), str(rows["task"].iloc[0])
    steps, curves, flat = sorted(rows["strength"].unique()), list[Curve](), dict[str, float]()
    for name in names:
        own, path = table.loc[name], f"sweep/{re.sub(r'[^0-9A-Za-z_.=+-]+', '_', name)}/".replace("//", "/")
        for metric in metrics:
            heights = tuple(own[metric])
            curves.append(Curve(name=f"{path}{metric}", axis=AXIS, steps=tuple(own.index), values=heights))
            flat |= {f"{path}{metric}{at_strength(s)}": v for s, v in zip(own.index, heights, strict=True)}
    drawn = {name or "effect": table.loc[name]["effect"].reindex(steps).tolist() for name in names}
    ticks, height = [f"{step:+g}" for step in steps], "change of log-odds (nats)"
    figure = layer_curve(ticks, drawn, ylabel=height, title=task, xlabel="strength", best="")
    apart, shown = f", {len(names)} curves" if len(names) > 1 else "", table.reset_index()
    caption = "One run a strength" + ("; a curve for each value of what else differs." if apart else ".")
    return Report(
        title=f"{task}: {len(jobs)} runs together",
        headline=f"{len(steps)} strengths of {task} from {len(jobs)} runs{apart}.",
        metrics=flat,
        rows=tuple({str(k): v for k, v in row.items()} for row in rows.to_dict("records")),
        tables={"strengths": Table(title="All strengths", frame=shown if apart else shown.drop(columns="curve"))},
        pictures={"dose_response": Picture(title="Dose and response", figure=figure, caption=caption)},
        curves=tuple(curves),
    )


def _compared(rows: pd.DataFrame) -> pd.DataFrame:
    """What is drawn against strength."""
    return rows[rows["strength"].notna() & rows["control"].isna() & rows["metric"].isin(COMPARED)]


def _told_apart(jobs: Mapping[Path, pd.DataFrame]) -> list[str]:
    """For every job the name of its curve; empty where there is one alone.

    That is the settings that differ, and the block, the data or the weights where the same settings do not share them.
    """
    facts = [_facts(folder, rows) for folder, rows in jobs.items()]
    names, made = _named([typed for typed, _ in facts]), [made for _, made in facts]
    for name in dict.fromkeys(names):
        same = [i for i, other in enumerate(names) if other == name]
        for i, more in zip(same, _named([made[i] for i in same]), strict=True):
            names[i] = ", ".join(filter(None, (name, more)))
    return names


def _facts(folder: Path, rows: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """What was typed for a job but its strengths, and what came of it."""
    record = json.loads((folder / "run.json").read_text())
    typed = [part.partition("=") for part in shlex.split(record.get("command", ""))]
    blocks = rows["site"].dropna().unique() if "site" in rows else ()
    marks = {"data": record.get("direction", {}).get("data"), "weights": record.get("model", {}).get("fingerprint")}
    made = {"block": ", ".join(blocks)} | {name: str(mark)[:8] for name, mark in marks.items()}
    return {key: value for key, equals, value in typed if equals and not key.endswith(".strengths")}, made


def _named(facts: Sequence[Mapping[str, str]]) -> list[str]:
    """Each by what it does not share with all the others."""
    keys = dict.fromkeys(key for one in facts for key in one)
    differing = [key for key in keys if len({one.get(key) for one in facts}) > 1]
    return [", ".join(f"{key}={one[key]}" for key in differing if key in one) for one in facts]


def at_strength(strength: float) -> str:
    """How the name of a number ends that belongs to a strength: `@+0.50`; more digits where two would hide some."""
    short, exact = f"{strength + 0.0:+.2f}", float(strength) + 0.0
    return f"@{short if float(short) == exact else format(exact, '+')}"
