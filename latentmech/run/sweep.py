"""Sweeps: `-m` with several values of a setting, one run for each, and a summary after the last."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from latentmech.run.questions import KNOWN, ROOMS
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

    print_report(report, write_run(folder / "summary", report, " ".join(sys.argv), "", {"status": "done"}))
    settings = OmegaConf.to_container(config.report, resolve=False)
    assert isinstance(settings, dict)
    own = {"group": folder.name, "name": "summary", "job_type": "summary"}
    sink = built(settled({str(key): own.get(str(key), value) for key, value in settings.items()}, KNOWN, "report"))
    for line in sink(report, {}, folder / "summary"):
        print(line)


def sweep_arguments(arguments: list[str]) -> list[str]:
    """Arguments of a sweep as Hydra needs them; others as they are.

    In `-m probe=pos,number probe.draws=500` the second setting means nothing until the first is chosen, which
    Hydra does job by job; as a sweep over one value it is left to the jobs too. Folders are named after what varies.
    """
    if not {"-m", "--multirun"} & set(arguments):
        return arguments
    overrides = OverridesParser.create().parse_overrides([a for a in arguments if not a.startswith("-") and "=" in a])
    swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
    constant = {o.input_line: o.key_or_group for o in overrides if not o.is_sweep_override()}
    late = {line for line, key in constant.items() if key.split(".")[0] in swept & set(ROOMS)}
    own = [re.sub(r"=(.*)$", r"=choice(\1)", a) if a in late else a for a in arguments]
    names = f"hydra.job.config.override_dirname.exclude_keys=[{','.join(constant.values())}]"
    first = next((i for i, a in enumerate(own) if "=" in a and not a.startswith("-")), len(own))
    return [*own[:first], names, *own[first:]]  # among the settings: a flag may follow them
