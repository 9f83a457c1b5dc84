"""Every figure of speed in one run, in one table: what `scripts/bench/all` starts.

    scripts/bench/all --data UD_ENGLISH_EWT                   about 20 minutes on two quiet cores
    scripts/bench/all --data UD_ENGLISH_EWT --quick           to see that all of it runs
    scripts/bench/all --data UD_ENGLISH_EWT --only sweep      one part: extraction, extraction-bfloat16, steering,
                                                              sweep, probe, index

Each part is a script that can be run by itself, in a process of its own, one after the other; what it compares takes
turns there. Tools get environments of their own under the cache folder, made on first use. Written into `--out`:
`speed.json` (all that the parts wrote, raw seconds included), `speed.csv` and `speed.md` (a row for each contender; a
ratio is to its part's first). With `--only`, the other parts' figures in `speed.json` stay.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from contest import HERE, OLDER, ROOT, machine

THREADS = "2"
DIGITS = 3


def parts(data: str, against: str, quick: bool) -> dict[str, list[str]]:
    """The command of each part."""
    peers = ["--against", against]
    rows = [
        "extract.py",
        "--data",
        data,
        *peers,
        *(["--texts", "24", "--rounds", "1"] if quick else ["--texts", "250"]),
    ]
    runs = ["--rounds", "1", "--tokens", "3", "--prompts", "2"] if quick else ["--rounds", "3"]
    probe = ["--words", "1500", "--levels", "2", "--rounds", "1"] if quick else ["--levels", "4", "--rounds", "2"]
    tiny = ["--model", "tiny"] if quick else []
    few, fewer = ([], []) if quick else (["--rounds", "3"], ["--rounds", "2"])
    half = ["--dtype", "bfloat16", "--peers", "vLLM,on vLLM,older build"]
    return {
        "extraction": [*rows, *tiny, *few],
        "extraction-bfloat16": [*rows, *tiny, *fewer, *half],
        "steering": ["steer.py", *peers, *runs, "--only", "one"],
        "sweep": ["steer.py", *peers, *runs, *fewer, "--only", "sweeps"],
        "probe": ["probe.py", "--data", data, *probe],
        "index": ["index.py", *(["--rows", "3000"] if quick else [])],
    }


def main() -> None:
    """Run, collect, write."""
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    record = asked.out / "speed.json"
    found: dict[str, Any] = json.loads(record.read_text()) if asked.only and record.exists() else {"parts": {}}
    commands = parts(asked.data, asked.against, asked.quick)
    for name in asked.only.split(",") if asked.only else commands:
        if name not in commands:
            raise SystemExit(f"--only {name} is no part; expected {', '.join(commands)}")
        found["parts"][name] = measured(name, commands[name])
        found |= {"machine": machine(), "quick": asked.quick}
        record.write_text(json.dumps(found, indent=2) + "\n")
        table = pd.DataFrame([row for part, own in found["parts"].items() for row in rows_of(part, own)])
        table.to_csv(asked.out / "speed.csv", index=False, float_format="%.4g")
        (asked.out / "speed.md").write_text(page(found, table))
    print((asked.out / "speed.md").read_text())


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the UD English-EWT folder with its three CoNLL-U files")
    parser.add_argument(
        "--quick", action="store_true", help="a tiny model or few tokens, one round: no figures to keep"
    )
    parser.add_argument("--only", default="", help="parts, with commas between")
    parser.add_argument("--against", default=OLDER, help="the commit of the older build")
    parser.add_argument("--out", type=Path, default=ROOT / "experiments" / "benchmarks")
    return parser.parse_args()


def measured(name: str, command: list[str]) -> dict[str, Any]:
    """What one part wrote; or what it said last, if it failed."""
    print(f"--- {name}: {' '.join(command)}", file=sys.stderr, flush=True)
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", THREADS)}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        done = subprocess.run(
            [sys.executable, HERE / command[0], *command[1:], "--json", out], stderr=subprocess.PIPE, text=True,
            check=False, env=os.environ | threads,
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if line.strip()]
        print("\n".join(line for line in said if line.startswith("round ")), file=sys.stderr)
        if done.returncode:
            return {"failed": said[-1] if said else f"ended with {done.returncode}", "command": published(command)}
        return json.loads(out.read_text()) | {"command": published(command)}


def published(command: list[str]) -> str:
    """What was typed, without where the data lie on this machine."""
    return " ".join("UD_ENGLISH_EWT" if before == "--data" else word for before, word in pairwise(["", *command]))


def rows_of(part: str, own: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each contender of a part, and for each that is not there."""
    if "failed" in own:
        return [{"part": part, "contender": "all", "note": own["failed"]}]
    if part == "index":
        times = {key: own[key] for key in ("build_s", "ms_per_query", "ms_per_query_exact", "recall@10")}
        return [{"part": part, "contender": key, "figure": value} for key, value in times.items()]
    if part == "probe":
        return probe_rows(part, own)
    comparisons = own.get("comparisons", {"": own})
    return [row for title, one in comparisons.items() for row in contest_rows(part, title, one)]


def contest_rows(part: str, title: str, one: dict[str, Any]) -> list[dict[str, Any]]:
    """Ratios to the floor, and how far what was computed is the same."""
    found = []
    for row in one["table"]:
        same = row.get("same tokens", row.get("difference to ours"))
        note = {True: "computes no rows to compare", False: ""}[same is None]
        columns = {"ratio": row["ratio"], "min": row["min"], "max": row["max"], "cpu ratio": row["cpu ratio"]}
        columns |= {"times as fast": 1 / row["ratio"], "seconds": row["seconds"], "same": same, "note": note}
        found.append({"part": part, "task": title, "contender": row["contender"]} | columns)
    absent = [{"part": part, "task": title, "contender": name, "note": said} for name, said in one["absent"].items()]
    return found + absent


def probe_rows(part: str, own: dict[str, Any]) -> list[dict[str, Any]]:
    """Seconds for all levels, as ratios to scikit-learn's, and accuracy."""
    totals = {row["contender"]: row for row in own["totals"]}
    base, worst = totals["scikit-learn"], max(abs(row["difference"]) for row in own["levels"])
    return [
        {
            "part": part, "contender": name, "ratio": row["seconds"] / base["seconds"], "seconds": row["seconds"],
            "times as fast": base["seconds"] / row["seconds"], "same": f"accuracy within {worst:.4f}",
        }
        for name, row in totals.items()
    ]  # fmt: skip


def page(found: dict[str, Any], table: pd.DataFrame) -> str:
    """The table as Markdown."""
    facts = "\n".join(f"- {key}: {value}" for key, value in found["machine"].items())
    bars = [
        f"- {'met' if met else 'missed'}: {bar} ({part})"
        for part, own in found["parts"].items()
        for bar, met in own.get("bars", {}).items()
    ]
    warning = "\nA quick run, to see that everything runs: **no figures to keep**.\n" if found["quick"] else ""
    head = "# Speed\nMade by `scripts/bench/all`. A ratio is to the floor's seconds in its round: median, least, most."
    return f"{head}\n{warning}\n{facts}\n\n{markdown(table)}\n\n" + "\n".join(bars) + "\n"


def markdown(table: pd.DataFrame) -> str:
    """A table that GitHub draws."""

    def cell(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value).replace("|", "/")

    lines = [list(table.columns), ["---"] * len(table.columns), *([cell(v) for v in row] for row in table.to_numpy())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
