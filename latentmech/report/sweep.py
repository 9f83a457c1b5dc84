"""The end of a sweep: how its jobs went, and what they found together."""

import json
from pathlib import Path

import pandas as pd
from rich.console import Console

from latentmech.report.console import print_table
from latentmech.report.figures.levels import layer_curve
from latentmech.report.report import Curve, Picture, Report, Table

AXIS = "sweep/strength"
COMPARED = ("effect", "kl", "perplexity_factor", "repetition")  # what is drawn against strength


def print_sweep(folder: Path, console: Console | None = None) -> int:
    """Print a table of the jobs in `folder` that failed, or that they are all done; returns how many failed.

    A job whose record still says `running` was killed before it could say anything else.
    """
    console = console or Console()
    jobs = [(path.parent.name, json.loads(path.read_text())) for path in sorted(folder.glob("*/run.json"))]
    failed = [(name, job) for name, job in jobs if job["status"] != "done"]
    if failed:
        rows = [{"job": name, "status": job["status"], "command": job["command"]} for name, job in failed]
        print_table(console, Table(title=f"{len(failed)} of {len(jobs)} jobs failed", frame=pd.DataFrame(rows)))
    else:
        console.print(f"{len(jobs)} jobs done, none failed: {folder}", soft_wrap=True)
    return len(failed)


def joined(folder: Path) -> Report | None:
    """The jobs of a sweep over strengths as one report; None where the jobs have no strengths to be compared by."""
    frames = [pd.read_parquet(path) for path in sorted(folder.glob("*/results.parquet"))]
    rows = pd.concat(frames) if frames else pd.DataFrame({"strength": [], "control": [], "metric": []})
    rows = rows[rows["strength"].notna() & rows["control"].isna() & rows["metric"].isin(COMPARED)]
    if rows["strength"].nunique() < 2:
        return None
    table = rows.pivot_table(index="strength", columns="metric", values="value").reset_index()
    steps = tuple(table["strength"].tolist())
    curves = [Curve(name=f"sweep/{m}", axis=AXIS, steps=steps, values=tuple(table[m])) for m in table.columns[1:]]
    ticks, task = [f"{step:+g}" for step in steps], str(rows["task"].iloc[0])
    series = {"effect": table["effect"].tolist()}
    figure = layer_curve(ticks, series, ylabel="change of log-odds (nats)", title=task, xlabel="strength", best="")
    return Report(
        title=f"{task}: {len(frames)} runs together",
        headline=f"{len(steps)} strengths of {task} from {len(frames)} runs.",
        metrics={
            f"sweep/{m}{at_strength(s)}": v for m in table.columns[1:] for s, v in zip(steps, table[m], strict=True)
        },
        rows=tuple({str(k): v for k, v in row.items()} for row in rows.to_dict("records")),
        tables={"strengths": Table(title="All strengths", frame=table)},
        pictures={"dose_response": Picture(title="Dose and response", figure=figure, caption="One run a strength.")},
        curves=tuple(curves),
    )


def at_strength(strength: float) -> str:
    """How the name of a number ends that belongs to a strength: `@+0.50`; more digits where two would hide some."""
    short, exact = f"{strength + 0.0:+.2f}", float(strength) + 0.0
    return f"@{short if float(short) == exact else format(exact, '+')}"
