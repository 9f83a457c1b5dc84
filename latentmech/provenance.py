"""Where a run's numbers come from: versions, commit, command, fingerprints, how it ended."""

import importlib.metadata
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.storage import save_json

if TYPE_CHECKING:
    from latentmech.report import Report

PACKAGES = ("latentmech", "torch", "transformer-lens", "transformers", "numpy", "hydra-core", "wandb")


def provenance(report: "Report", command: str, started: float) -> dict[str, Any]:
    """The contents of `run.json` for a finished run."""
    return {
        "status": "done",
        "command": command,
        "wall_s": round(time.time() - started, 1),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
        **report.provenance,
    }


def set_status(folder: Path, status: str, command: str) -> None:
    """Record how a run stands, before it has anything else to say."""
    save_json(folder / "run.json", {"status": status, "command": command})


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """The commit of the checkout that this package is run from; None if it is installed."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        print("latentmech: git is not there; the commit is not recorded", file=sys.stderr)
        return None
    return done.stdout.strip() or None
