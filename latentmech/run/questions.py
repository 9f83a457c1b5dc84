"""What can be asked: every room with its studies, the settings they share, and where `conf/` lies."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from latentmech.activations import ActivationStoreSettings
from latentmech.data import Corpus, Library, Pairs, TextPairs, WordPairs
from latentmech.direction import DirectionSettings
from latentmech.geometry import (
    AnalogiesSettings,
    CompareSettings,
    DimensionSettings,
    InterpolationSettings,
    LensSettings,
    MapSettings,
    NeighboursSettings,
)
from latentmech.model import (
    Adapted,
    Hub,
    Local,
    ModelSettings,
    PackageFolder,
    RegistryPackage,
    ScopeSettings,
    SentenceEncoderSettings,
    Tiny,
    WordVectorsSettings,
)
from latentmech.probe import AtlasSettings, ProbeSettings
from latentmech.report import ConsoleSink, WandbSink
from latentmech.retrieval import RetrievalSettings, VectorDatabaseSettings
from latentmech.settings import names_of, schema
from latentmech.steering import (
    CausalSettings,
    LettersSettings,
    NecessitySettings,
    RefusalRateSettings,
    RequestsSettings,
    SteeringSettings,
    StemsSettings,
)
from latentmech.verify import VerifySettings

ROOMS: dict[str, dict[str, type]] = {  # room -> schema -> study; a room with several questions has a schema for each
    "probe": {"probe": ProbeSettings, "atlas": AtlasSettings},
    "direction": {"direction": DirectionSettings},
    "steering": {"steering": SteeringSettings},
    "geometry": {
        "analogies": AnalogiesSettings,
        "neighbours": NeighboursSettings,
        "map": MapSettings,
        "dimension": DimensionSettings,
        "lens": LensSettings,
        "interpolation": InterpolationSettings,
        "compare": CompareSettings,
    },
    "retrieval": {"retrieval": RetrievalSettings},
    "verify": {"verify": VerifySettings},
}
STUDIES = {name: study for studies in ROOMS.values() for name, study in studies.items()}
SHARED = {"model": ModelSettings, "activations": ActivationStoreSettings, "data": Corpus, "pairs": Pairs}
SHARED |= {"stems": StemsSettings, "letters": LettersSettings, "requests": RequestsSettings}
SHARED |= {"necessity": NecessitySettings, "causal": CausalSettings, "refusal_rate": RefusalRateSettings}
SHARED |= {"library": Library, "encoder": SentenceEncoderSettings, "vectors": VectorDatabaseSettings}
SHARED |= {"wandb": WandbSink, "console": ConsoleSink}
SOURCES = (RegistryPackage, PackageFolder, Local, Hub, Tiny, Adapted)
KNOWN = names_of(
    [*STUDIES.values(), *SHARED.values(), *SOURCES, ScopeSettings, WordPairs, WordVectorsSettings, TextPairs]
)
PACKAGE = Path(__file__).parent.parent
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())


def register() -> None:
    """Tell Hydra of the schemas and of what names are made from."""
    for name, cls in (STUDIES | SHARED).items():
        ConfigStore.instance().store(group="schema", name=name, node=schema(cls))
    resolvers: dict[str, Callable[..., Any]] = {"question": _question, "room": _room, "sweep": _sweep, "slug": _slug}
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def help_text() -> str:
    """What `--help` shows. Hydra would make it too, but reads every option of every group several times for it."""
    asked = OmegaConf.load(CONF / "config.yaml").hydra.help
    groups = sorted(folder for folder in CONF.iterdir() if folder.is_dir())
    listed = [f"{g.name}: {', '.join(sorted(path.stem for path in g.glob('*.yaml')))}" for g in groups]
    return str(OmegaConf.to_container(asked, resolve=True)["template"]).replace("$GROUPS", "\n".join(listed))  # type: ignore[index, call-overload]


def known_settings() -> list[str]:
    """Every option of every group, and every setting of every schema."""
    options = [str(p.relative_to(CONF).with_suffix("")) for p in CONF.rglob("*.yaml") if p.parent != CONF]
    classes = [(room, cls) for room, studies in ROOMS.items() for cls in studies.values()] + [*SHARED.items()]
    keys = [f"{name}.{key}" for name, cls in classes for key in schema(cls).__dataclass_fields__]  # type: ignore[attr-defined]
    data = [f"{room}.data.{key}" for room in ROOMS for key in schema(Corpus).__dataclass_fields__]  # type: ignore[attr-defined]
    return [*options, *keys, *data, *ROOMS, "model", "activations", "report", "experiment", "debug"]


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
