"""The end of a sweep: how its jobs went."""

import json
from pathlib import Path

import pandas as pd
from rich.console import Console

from latentmech.report.console import print_table
from latentmech.report.report import Table


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
