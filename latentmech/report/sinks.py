"""Where a report goes besides the run's folder: a sink is called as `sink(report, config, folder)`.

It returns lines for the console, such as the address of what it made. Everything is on disk before that, so a Weights &
Biases run can never cost the run itself. It asks nothing, so it cannot hang where nobody is there to answer; without a
key, or without a server that answers, it is kept in the folder and can be sent later.
"""

import netrc
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from latentmech.errors import BadInput, ResourceError, first_line
from latentmech.fields import OneOf, check
from latentmech.storage import cache_root, make_folder, plain

if TYPE_CHECKING:
    from latentmech.report.report import Report

KEY_VARIABLES = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
MODES = ("online", "offline", "disabled")
PUBLIC_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")


@dataclass(frozen=True)
class ConsoleSink:
    """Nowhere else: the console and the folder are enough (`report=console`)."""

    def __call__(self, report: "Report", config: Mapping[str, Any], folder: Path) -> list[str]:  # noqa: ARG002
        """Send nothing, say nothing."""
        return []


@dataclass(frozen=True, kw_only=True)
class WandbSink:
    """Sends a report to W&B (`report=wandb`).

    Attributes:
        group: what the runs of one sweep share.
        mode: `online`, `offline` or `disabled`; by default `WANDB_MODE`, else online where a key is.
        init_timeout: seconds until a server that does not answer is given up.
        finish_timeout: seconds for the upload; what is not sent by then stays in the folder.
    """

    project: str = "latentmech"
    entity: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()
    job_type: str | None = None
    name: str | None = None
    mode: Annotated[str | None, OneOf(*MODES, None)] = None
    init_timeout: float = 45.0
    finish_timeout: float = 300.0

    def __post_init__(self) -> None:
        check(self, "report")

    def __call__(self, report: "Report", config: Mapping[str, Any], folder: Path) -> list[str]:
        """Log the report as one run below `folder`; returns where it is, or how to send it, for the console."""
        mode = resolve_mode(self.mode)
        try:
            if mode == "online" and not has_key():  # in a terminal W&B would ask for one, and wait
                raise BadInput("no key for it; run `wandb login` or set WANDB_API_KEY")
            return self._deliver(report, config, folder, mode)
        except Exception as error:  # whatever W&B throws: the results are on disk, an upload is not worth them
            line = f"W&B {mode} failed: {first_line(error)}"
        if mode != "online":
            return [f"{line}; all results are in {folder}"]
        return [f"{line}; keeping the run offline", *replace(self, mode="offline")(report, config, folder)]

    def _deliver(self, report: "Report", config: Mapping[str, Any], folder: Path, mode: str) -> list[str]:
        """Start, log, finish. Once started, W&B has the run on disk: a failure after that needs no second run."""
        # wandb takes a second to import, so only a run that uses it pays
        from latentmech.report import wandb_run

        run = wandb_run.start(self, plain({**config, **report.labels}), folder, mode)
        failures = [*_failure(partial(wandb_run.log, run, report)), *_failure(run.finish)]
        if mode == "disabled":
            return failures
        if mode == "online" and not failures:
            return [f"W&B: {run.url}"]
        return [*failures, f"W&B: send the run with  wandb sync {shlex.quote(run.settings.sync_dir)}"]


def _failure(act: Callable[[], None]) -> list[str]:
    try:
        act()
    except Exception as error:
        return [f"W&B upload is not complete: {first_line(error)}"]
    return []


def fetch_artifact(name: str) -> Path:
    """Download the artifact `entity/project/name:version` into the cache; returns the folder with its files.

    Raises:
        ResourceError: there is no key for W&B, no answer, or no such artifact.
    """
    if not has_key():  # in a terminal W&B would ask for one, and wait
        raise ResourceError(f"wandb:{name} needs a key; run `wandb login` or set WANDB_API_KEY")
    import wandb

    try:
        wandb.setup(settings=wandb.Settings(silent=True, quiet=True))
        artifact = wandb.Api().artifact(name)
        folder = make_folder(cache_root() / "artifacts" / re.sub(r"[^\w./-]+", "_", artifact.qualified_name))
        return Path(artifact.download(root=str(folder)))
    except (wandb.Error, ValueError, OSError) as error:
        advice = "check the name, the key and the network"
        raise ResourceError(f"cannot fetch wandb:{name} ({first_line(error)}); {advice}") from error


def resolve_mode(explicit: str | None) -> str:
    """The setting, else `WANDB_MODE`, else online if a key is there: W&B itself would ask, or raise."""
    return explicit or os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")


def has_key() -> bool:
    """Whether W&B would find a key, in the environment or in netrc, where `wandb login` puts it."""
    if any(map(os.environ.get, KEY_VARIABLES)):
        return True
    server = os.environ.get("WANDB_BASE_URL")
    hosts = [urlsplit(server).netloc] if server else PUBLIC_HOSTS
    try:
        logins = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(map(logins.authenticators, hosts))
