"""The command line: `python -m latentmech.run probe=pos`. The only module that knows Hydra.

One run answers one question with one model. `-m` runs a sweep; a job that fails, however it fails, leaves the
others alone, and the sweep ends with a table of what failed.
"""

import difflib
import os
import re
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Library, Pairs
from latentmech.direction import DirectionStudy
from latentmech.errors import BadInput, LatentmechError
from latentmech.geometry import (
    AnalogiesStudy,
    CompareStudy,
    DimensionStudy,
    InterpolationStudy,
    LensStudy,
    MapStudy,
    NeighboursStudy,
)
from latentmech.model import Model, SentenceEncoder
from latentmech.probe import AtlasStudy, ProbeStudy
from latentmech.provenance import provenance, set_status
from latentmech.report import ConsoleSink, Report, WandbSink, joined, print_report, print_sweep, write_run
from latentmech.retrieval import RetrievalStudy, VectorDatabase
from latentmech.settings import is_ours, published, schema, targets
from latentmech.steering import (
    CausalSelection,
    Letters,
    Necessity,
    RefusalRate,
    Requests,
    SteeringStudy,
    Stems,
)
from latentmech.storage import make_folder

ROOMS: dict[str, dict[str, type]] = {  # room -> schema -> study; a room with several questions has a schema for each
    "probe": {"probe": ProbeStudy, "atlas": AtlasStudy},
    "direction": {"direction": DirectionStudy},
    "steering": {"steering": SteeringStudy},
    "geometry": {
        "analogies": AnalogiesStudy,
        "neighbours": NeighboursStudy,
        "map": MapStudy,
        "dimension": DimensionStudy,
        "lens": LensStudy,
        "interpolation": InterpolationStudy,
        "compare": CompareStudy,
    },
    "retrieval": {"retrieval": RetrievalStudy},
}
STUDIES = {name: study for studies in ROOMS.values() for name, study in studies.items()}
SHARED = {"model": Model, "activations": ActivationStore, "data": Corpus, "pairs": Pairs}
SHARED |= {"stems": Stems, "letters": Letters, "requests": Requests, "necessity": Necessity}
SHARED |= {"library": Library, "encoder": SentenceEncoder, "vectors": VectorDatabase}
SHARED |= {"causal": CausalSelection, "refusal_rate": RefusalRate, "wandb": WandbSink, "console": ConsoleSink}
HERE = Path(__file__).parent
CONF = next(folder for folder in (HERE / "conf", HERE.parent / "conf") if folder.is_dir())


def _register() -> None:
    for name, cls in (STUDIES | SHARED).items():
        ConfigStore.instance().store(group="schema", name=name, node=schema(cls))
    resolvers: dict[str, Callable[..., Any]] = {"question": _question, "room": _room, "sweep": _sweep, "slug": _slug}
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def _room(choices: DictConfig) -> str:
    """The group of the chosen question, out of the options chosen in every group."""
    return next((room for room in ROOMS if choices.get(room)), "none")


def _question(choices: DictConfig) -> str:
    """Room and option, as folders and runs are called: `probe-pos`."""
    return f"{_room(choices)}-{choices.get(_room(choices))}"


def _sweep() -> str | None:
    """The name of the sweep that this run is part of."""
    config = HydraConfig.get()
    return Path(config.sweep.dir).name if config.mode == RunMode.MULTIRUN else None


def _slug(text: str) -> str:
    """A readable folder name made of overrides."""
    return re.sub(r"[^\w=.,+\-\[\]]+", "-", text)[:120] or "defaults"


def run(config: DictConfig) -> None:
    """Answer the question that `config` asks, and leave the files of a run behind."""
    started = time.time()
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    for target in targets(plain):
        if not is_ours(target, get_object):
            raise BadInput(f"_target_={target} is not part of latentmech; settings may only name its own classes")
    if strange := sorted(set(plain) - {*ROOMS, "model", "activations", "report", "debug"}):
        raise BadInput(f"{strange[0]}: no such setting; --cfg job lists what there is")
    asked = [room for room in ROOMS if plain.get(room)]
    if len(asked) != 1:
        raise BadInput(f"{len(asked)} questions were asked ({asked}), expected one; try probe=pos, or --help")
    study, model, store, sink = (
        instantiate(plain[key], _convert_="all") for key in (asked[0], "model", "activations", "report")
    )
    folder = make_folder(Path(HydraConfig.get().runtime.output_dir))
    set_status(folder, "running", command())
    report = study(model, store)
    record = provenance(report, command(), started)
    files = write_run(folder, report, command(), published(config), record)
    print_report(report, files)
    for line in sink(report, OmegaConf.to_container(OmegaConf.create(published(config))), folder):
        print(line)


def command() -> str:
    """What to type to get this run again."""
    overrides = list(HydraConfig.get().overrides.task)
    return shlex.join(["python", "-m", "latentmech.run", *overrides])


def task(config: DictConfig) -> int:
    """`run`, with every failure turned into one line and an exit code, which a job of a sweep only returns."""
    try:
        with one_line(debug=bool(config.get("debug"))):
            run(config)
    except SystemExit as stop:
        _record_failure(str(stop.code))
        if HydraConfig.get().mode == RunMode.RUN or stop.code in (130, 143):
            raise
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def _record_failure(code: str) -> None:
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder.is_dir():
        set_status(folder, f"failed ({code})", command())


@contextmanager
def one_line(debug: bool = False) -> Iterator[None]:
    """Print errors that the user can act on as one line and exit with their code."""
    try:
        yield
    except KeyboardInterrupt:
        print("latentmech: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = explain(error)
        print(f"latentmech: {message}", file=sys.stderr)
        sys.exit(code)


def explain(error: BaseException) -> tuple[str, int]:
    """One line of advice for an error, and the exit code."""
    chain = [error]
    while (inner := chain[-1].__cause__) is not None:
        chain.append(inner)
    for link in chain:
        if isinstance(link, LatentmechError):
            return str(link), link.exit_code
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _setting(" ".join(str(link) for link in chain)), BadInput.exit_code
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {error} (in {Path(place.filename).name}:{place.lineno}; see all with debug=true)",
        1,
    )


def _setting(message: str) -> str:
    """Hydra's several lines as one, with the names that come near what was typed."""
    text = " ".join(message.split())
    if found := re.search(r"Could not (?:override|append|find) '([^']+)'", text):
        near = difflib.get_close_matches(found[1], _known_settings(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "--cfg job lists what there is"
        seen = "no such option" if "/" in found[1] else "no such setting"
        return f"{found[1]}: {seen}; {hint}"
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{found[1]} is not set; give it on the command line: {found[1]}=..."
    if found := re.search(r"(Value '.*?' .*?) full_key: (\S+)", text):
        return f"{found[2]}: {found[1].rstrip()}; give a value of that type"
    return text


def _known_settings() -> list[str]:
    """Every option of every group, and every setting of every schema."""
    options = [str(p.relative_to(CONF).with_suffix("")) for p in CONF.rglob("*.yaml") if p.parent != CONF]
    classes = [(room, cls) for room, studies in ROOMS.items() for cls in studies.values()] + [*SHARED.items()]
    keys = [f"{name}.{key}" for name, cls in classes for key in schema(cls).__dataclass_fields__]  # type: ignore[attr-defined]
    data = [f"{room}.data.{key}" for room in ROOMS for key in schema(Corpus).__dataclass_fields__]  # type: ignore[attr-defined]
    return [*options, *keys, *data, *ROOMS, "model", "activations", "report", "experiment", "debug"]


class SweepSummary(Callback):
    """After a sweep: which jobs failed, and an exit code that says so."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read every job's record; one that still says `running` was killed."""
        del kwargs
        folder = Path(config.hydra.sweep.dir)
        failed = print_sweep(folder)
        if (report := joined(folder)) is not None:
            _deliver_summary(report, config, folder)
        sys.stdout.flush()
        if failed:
            sys.exit(1)


def _deliver_summary(report: Report, config: DictConfig, folder: Path) -> None:
    """The jobs' strengths side by side: on the console, in the sweep's folder, and as one more run of the group."""
    print_report(report, write_run(folder / "summary", report, " ".join(sys.argv), "", {"status": "done"}))
    settings = OmegaConf.to_container(config.report, resolve=False)
    assert isinstance(settings, dict)
    own = {"group": folder.name, "name": "summary", "job_type": "summary"}
    sink = instantiate({str(key): own.get(str(key), value) for key, value in settings.items()}, _convert_="all")
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


def main() -> None:
    """Entry point."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us whole; `one_line` makes them short
    _register()
    with one_line(debug="debug=true" in sys.argv):
        sys.argv[1:] = sweep_arguments(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()


if __name__ == "__main__":
    from latentmech.run import main as entry  # under its own name, so that launchers can find it again

    entry()
