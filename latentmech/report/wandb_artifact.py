"""Artifacts of W&B runs: what a report's files are logged as, and how they come back."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import wandb

from latentmech.errors import ResourceError
from latentmech.report.plain import plain
from latentmech.report.report import Report
from latentmech.report.wandb_sink import has_key
from latentmech.storage import cache_root, make_folder
from latentmech.tensors import save_tensors

KINDS = {"directions": "direction"}


def artifacts_of(report: Report) -> Iterator[wandb.Artifact]:
    """One artifact a direction, with the same two files that the run leaves on disk; the card is its metadata."""
    for name, (tensors, card) in report.artifacts.items():
        path = PurePath(name)
        if path.parts[0] in KINDS:
            stem = re.sub(r"[^\w.-]+", "_", path.stem)
            artifact = wandb.Artifact(stem, type=KINDS[path.parts[0]], metadata=plain(card))
            with tempfile.TemporaryDirectory() as folder:
                save_tensors(Path(folder) / path.name, tensors, plain(card))
                artifact.add_dir(folder)  # takes copies
            yield artifact


def fetch_artifact(name: str) -> Path:
    """Download `entity/project/name:version` into the cache; returns the folder with its files.

    Raises:
        ResourceError: there is no key for W&B, no answer, or no such artifact.
    """
    if not has_key():  # in a terminal W&B would ask for one, and wait
        raise ResourceError(f"wandb:{name} needs a key; run `wandb login` or set WANDB_API_KEY")
    try:
        wandb.setup(settings=wandb.Settings(silent=True, quiet=True))
        artifact = wandb.Api().artifact(name)
        folder = make_folder(cache_root() / "artifacts" / re.sub(r"[^\w./-]+", "_", artifact.qualified_name))
        return Path(artifact.download(root=str(folder)))
    except (wandb.Error, ValueError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ResourceError(f"cannot fetch wandb:{name} ({reason}); check the name, the key and the network") from error
