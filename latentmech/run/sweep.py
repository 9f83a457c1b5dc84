"""Sweeps: `-m` with several values of a setting, one run for each, and a summary after the last, wherever they ran."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from latentmech.run.arguments import EXCLUDED, command_of, jobs_of
from latentmech.run.questions import KNOWN
from latentmech.settings import built, settled

if TYPE_CHECKING:
    from latentmech.report import Report

LOOK_EVERY = 30  # seconds
LOST = JobReturn(status=JobStatus.COMPLETED, _return_value=None)  # what became of the job, its record says


class SweepSummary(Callback):
    """After a sweep: which jobs failed, and an exit code that says so."""

    begun: ClassVar[DictConfig | None] = None  # the sweep of this process

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Have the launcher wait for every job."""
        del kwargs
        SweepSummary.begun = config
        wait_for_all(str(config.hydra.launcher.get("_target_")))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read every job's record; one that still says `running` was killed, and one without any never began."""
        del kwargs
        if _conclude(config):
            sys.exit(1)


@contextmanager
def concluded() -> Iterator[None]:
    """A sweep whose launcher gives up has its summary too, if anything ran."""
    SweepSummary.begun = None
    try:
        yield
    except Exception:
        sweep = SweepSummary.begun
        if sweep is not None and any(Path(sweep.hydra.sweep.dir).glob("*/run.json")):
            _conclude(sweep)
        raise


def wait_for_all(launcher: str) -> None:
    """Have a launcher wait for every job: submitit's and Ray's give a sweep up at the first that was killed."""
    if ".hydra_submitit_launcher." in launcher:
        import submitit

        submitit.Job.results = _surviving(submitit.Job.results, [LOST])
        if "Slurm" in launcher:
            _look_into_the_queue()
    elif ".hydra_ray_launcher." in launcher:
        import ray
        from hydra_plugins.hydra_ray_launcher import _core

        _core.ray = SimpleNamespace(get=_surviving(ray.get, LOST))


def _look_into_the_queue() -> None:
    """Have submitit see that a job is gone: accounting is not told of one of an array that is cancelled as it waits."""
    from submitit.slurm.slurm import SlurmInfoWatcher

    told = SlurmInfoWatcher.get_state

    def state(watcher: Any, job_id: str, mode: str = "standard") -> str:
        seen = str(told(watcher, job_id, mode))
        if seen not in ("UNKNOWN", "PENDING") or mode == "cache":
            return seen
        queue = _queue(int(time.time() // LOOK_EVERY), len(watcher._registered))
        return seen if queue is None or job_id in queue else "CANCELLED"

    SlurmInfoWatcher.get_state = state


@lru_cache(maxsize=1)
def _queue(period: int, n_jobs: int) -> list[str] | None:
    """The user's jobs in SLURM's queue, looked up once a period and when there are more jobs; None if it is silent."""
    del period, n_jobs
    done = subprocess.run(["squeue", "-h", "-r", "--me", "-o", "%i"], capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else None


def _surviving(wait: Callable[..., Any], lost: Any) -> Callable[..., Any]:
    """`wait`, which tells on stderr what it would raise, and gives `lost`."""

    def outcome(*job: Any) -> Any:
        try:
            return wait(*job)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            print("latentmech: a job was lost:", *lines[:2], *lines[2:][-1:], file=sys.stderr)
            return lost

    return outcome


def _conclude(config: DictConfig) -> int:
    """Print how the jobs went and what they found together; returns how many failed."""
    from latentmech.report import joined, print_sweep

    folder, ours = Path(config.hydra.sweep.dir), "BasicSweeper" in config.hydra.sweeper._target_
    failed = print_sweep(folder, asked=jobs_of(config.hydra.overrides.task) if ours else ())
    if (report := joined(folder)) is not None:
        _deliver_summary(report, config, folder)
    sys.stdout.flush()
    return failed


def _deliver_summary(report: "Report", config: DictConfig, folder: Path) -> None:
    """The jobs' strengths side by side: on the console, in the sweep's folder, and as one more run of the group."""
    from latentmech.report import print_report, write_run

    command = command_of(part for part in sys.argv[1:] if not part.startswith(EXCLUDED))
    print_report(report, write_run(folder / "summary", report, command, "", {"status": "done"}))
    settings = OmegaConf.to_container(config.report, resolve=False)
    assert isinstance(settings, dict)
    named = {"group": folder.name, "name": "summary", "job_type": "summary"}
    sink = built(settled({str(key): named.get(str(key), value) for key, value in settings.items()}, KNOWN, "report"))
    for line in sink(report, {}, folder / "summary"):
        print(line)
