"""From settings to a study, from its report to files: one run answers one question with one model.

A job of a sweep that fails, however it fails, leaves the others alone, and the sweep ends with a table of what failed.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from latentmech.errors import BadInput, IntegrityError
from latentmech.provenance import set_status
from latentmech.run.arguments import check_arguments, command_of, refuse_idle, refuse_inside, sweep_arguments
from latentmech.run.complaints import INTERRUPTED, one_line
from latentmech.run.questions import CONF, KNOWN, ROOMS, help_text, register
from latentmech.run.sweep import concluded
from latentmech.settings import built, published, settled
from latentmech.storage import make_folder


def run(config: DictConfig) -> None:
    """Answer the question that `config` asks, and leave the files of a run behind.

    All settings are read and checked before anything that knows torch is imported.
    """
    started = time.time()
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    if strange := sorted(set(plain) - {*ROOMS, "model", "activations", "report", "debug"}):
        raise BadInput(f"{strange[0]}: no such setting; --cfg job lists what there is")
    asked = [room for room in ROOMS if plain.get(room)]
    if len(asked) != 1:
        raise BadInput(f"{len(asked)} questions were asked ({asked}), expected one; try probe=pos, or --help")
    names = (asked[0], "model", "activations", "report")
    settings = {name: settled(plain[name], KNOWN, name) for name in names}
    refuse_inside(settings)
    settings["activations"].check_study(settings[asked[0]])
    if HydraConfig.get().mode == RunMode.RUN:  # in a sweep what is idle in one job may count in another
        refuse_idle(settings, HydraConfig.get().overrides.task)
    study, model, store, sink = map(built, settings.values())
    _answer(study, model, store, sink, config, started)


def _answer(study: Any, model: Any, store: Any, sink: Any, config: DictConfig, started: float) -> None:
    from latentmech.provenance import provenance
    from latentmech.report import print_report, write_run

    folder = make_folder(Path(HydraConfig.get().runtime.output_dir))
    set_status(folder, "running", command())
    report = study(model, store)
    record = provenance(report, command(), started)
    files = write_run(folder, report, command(), published(config), record)
    print_report(report, files)
    for line in sink(report, OmegaConf.to_container(OmegaConf.create(published(config))), folder):
        print(line)
    if store.push is not None:
        print(store.publish(model))
    if report.failure:
        raise IntegrityError(report.failure)


def command() -> str:
    """What to type to get this run again."""
    return command_of(HydraConfig.get().overrides.task)


def task(config: DictConfig) -> int:
    """`run`, with every failure turned into one line and an exit code, which a job of a sweep only returns.

    What stops a job from outside stops its process too, so that a scheduler sees it.
    """
    if not HydraConfig.get().job.chdir:
        os.chdir(HydraConfig.get().runtime.cwd)  # workers of a cluster begin elsewhere
    try:
        with one_line(debug=bool(config.get("debug"))):
            run(config)
    except SystemExit as stop:
        folder = Path(HydraConfig.get().runtime.output_dir)
        interrupted = stop.code in INTERRUPTED
        ended = "interrupted" if interrupted else "failed"
        if folder.is_dir():
            set_status(folder, f"{ended} ({stop.code})" if stop.code else "filled", command())
        if HydraConfig.get().mode == RunMode.RUN or interrupted:
            raise
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def main() -> None:
    """Entry point."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us whole; `one_line` makes them short
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(help_text())
        return
    register()
    with one_line(debug="debug=true" in sys.argv):
        check_arguments(sys.argv[1:])
        sys.argv[1:] = sweep_arguments(sys.argv[1:])
        with concluded():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()
