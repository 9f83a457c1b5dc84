"""Sweeps: `-m` with several values of a setting, one run for each, and a summary after the last."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from latentmech.run.arguments import EXCLUDED
from latentmech.run.questions import KNOWN
from latentmech.settings import built, settled

if TYPE_CHECKING:
    from latentmech.report import Report


class SweepSummary(Callback):
    """After a sweep: which jobs failed, and an exit code that says so."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read every job's record; one that still says `running` was killed."""
        del kwargs
        from latentmech.report import joined, print_sweep

        folder = Path(config.hydra.sweep.dir)
        failed = print_sweep(folder)
        if (report := joined(folder)) is not None:
            _deliver_summary(report, config, folder)
        sys.stdout.flush()
        if failed:
            sys.exit(1)


def _deliver_summary(report: "Report", config: DictConfig, folder: Path) -> None:
    """The jobs' strengths side by side: on the console, in the sweep's folder, and as one more run of the group."""
    from latentmech.report import print_report, write_run

    own = [part for part in sys.argv[1:] if not part.startswith(EXCLUDED)]
    command = shlex.join(["python", "-m", "latentmech.run", *own])
    print_report(report, write_run(folder / "summary", report, command, "", {"status": "done"}))
    settings = OmegaConf.to_container(config.report, resolve=False)
    assert isinstance(settings, dict)
    named = {"group": folder.name, "name": "summary", "job_type": "summary"}
    sink = built(settled({str(key): named.get(str(key), value) for key, value in settings.items()}, KNOWN, "report"))
    for line in sink(report, {}, folder / "summary"):
        print(line)
