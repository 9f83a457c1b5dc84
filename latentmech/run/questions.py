"""What can be asked: every room with its studies, the settings they share, and where `conf/` lies."""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from latentmech import activations, data, direction, geometry, model, probe, report, retrieval, steering, verify
from latentmech.settings import names_of, schema

ROOMS: dict[str, dict[str, type]] = {  # room -> schema -> study; a room with several questions has a schema for each
    "probe": {"probe": probe.ProbeSettings, "atlas": probe.AtlasSettings},
    "direction": {"direction": direction.DirectionSettings},
    "steering": {"steering": steering.SteeringSettings},
    "geometry": {
        "analogies": geometry.AnalogiesSettings,
        "neighbours": geometry.NeighboursSettings,
        "map": geometry.MapSettings,
        "dimension": geometry.DimensionSettings,
        "lens": geometry.LensSettings,
        "interpolation": geometry.InterpolationSettings,
        "compare": geometry.CompareSettings,
    },
    "retrieval": {"retrieval": retrieval.RetrievalSettings},
    "verify": {"verify": verify.VerifySettings},
}
STUDIES = {name: study for studies in ROOMS.values() for name, study in studies.items()}
SHARED = {"model": model.ModelSettings, "activations": activations.ActivationStoreSettings}
SHARED |= {"data": data.Corpus, "pairs": data.Pairs, "library": data.Library}
SHARED |= {"stems": steering.StemsSettings, "letters": steering.LettersSettings, "requests": steering.RequestsSettings}
SHARED |= {"necessity": steering.NecessitySettings, "causal": steering.CausalSettings}
SHARED |= {"refusal_rate": steering.RefusalRateSettings, "encoder": model.SentenceEncoderSettings}
SHARED |= {"vectors": retrieval.VectorDatabaseSettings, "wandb": report.WandbSink, "console": report.ConsoleSink}
NAMED = [model.RegistryPackage, model.PackageFolder, model.Local, model.Hub, model.Tiny, model.Adapted]
NAMED += [model.ScopeSettings, model.WordVectorsSettings, data.WordPairs, data.TextPairs]
KNOWN = names_of([*STUDIES.values(), *SHARED.values(), *NAMED])
PACKAGE = Path(__file__).parent.parent
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())


@cache
def register() -> None:
    """Tell Hydra of the schemas and of what names are made from; once is enough."""
    for name, cls in (STUDIES | SHARED).items():
        ConfigStore.instance().store(group="schema", name=name, node=schema(cls))
    Plugins.instance()  # reads the launchers that are installed; options of ours stand in for theirs and build on them
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    for path in (CONF / "hydra" / "launcher").glob("*.yaml"):
        if own := launchers.pop(path.name, None):
            ConfigStore.instance().store(group="schema/launcher", name=path.stem, node=own.node)
    resolvers: dict[str, Callable[..., Any]] = {"question": _question, "room": _room, "sweep": _sweep, "slug": _slug}
    for name, resolver in (resolvers | {"exported": _exported}).items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    OmegaConf.register_new_resolver("unused", unused, replace=True, use_cache=True)  # once a run, as `now` is


def help_text() -> str:
    """What `--help` shows. Hydra would make it too, but reads every option of every group several times for it."""
    asked = OmegaConf.load(CONF / "config.yaml").hydra.help
    groups = sorted({path.parent for path in CONF.rglob("*.yaml")} - {CONF})
    listed = [f"{g.relative_to(CONF)}: {', '.join(sorted(path.stem for path in g.glob('*.yaml')))}" for g in groups]
    return str(OmegaConf.to_container(asked, resolve=True)["template"]).replace("$GROUPS", "\n".join(listed))  # type: ignore[index, call-overload]


def known_settings() -> list[str]:
    """Every option of every group, and every setting of every schema."""
    options = [str(p.relative_to(CONF).with_suffix("")) for p in CONF.rglob("*.yaml") if p.parent != CONF]
    classes = [(room, cls) for room, studies in ROOMS.items() for cls in studies.values()] + [*SHARED.items()]
    keys = [f"{name}.{key}" for name, cls in classes for key in schema(cls).__dataclass_fields__]  # type: ignore[attr-defined]
    texts = [f"{room}.data.{key}" for room in ROOMS for key in schema(data.Corpus).__dataclass_fields__]  # type: ignore[attr-defined]
    return [*options, *keys, *texts, *ROOMS, "model", "activations", "report", "experiment", "debug"]


def _room(choices: DictConfig) -> str:
    return next((room for room in ROOMS if choices.get(room)), "none")


def _question(choices: DictConfig) -> str:
    """Room and option, as folders and runs are called: `probe-pos`."""
    return f"{_room(choices)}-{choices.get(_room(choices))}"


def _sweep() -> str | None:
    config = HydraConfig.get()
    return Path(config.sweep.dir).name if config.mode == RunMode.MULTIRUN else None


def _exported(*names: str) -> dict[str, str]:
    """Those of the environment's variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def unused(folder: str) -> str:
    """A folder of that name, made now; where another run has it, with the next number behind."""
    for name in (folder, *(f"{folder}_{n}" for n in range(2, 1000))):
        try:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).mkdir()
            return name
        except FileExistsError:
            continue
        except OSError:  # said, with the remedy, by what writes there first
            break
    return folder


def _slug(text: str) -> str:
    return re.sub(r"[^\w=.,+\-\[\]]+", "-", text)[:120] or "defaults"
