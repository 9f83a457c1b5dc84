"""Settings as dataclasses know them: schemas made from signatures, so that every default stands in one place."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from importlib import import_module
from typing import Any, Optional, get_type_hints

from omegaconf import MISSING as UNSET
from omegaconf import DictConfig, OmegaConf

from latentmech.errors import BadInput, expected

SIMPLE = (str, int, float, bool)
SECRET = re.compile(r"api_?key|token$|secret|password", re.IGNORECASE)


@cache
def schema(cls: type) -> type:
    """A structured config of the dataclass `cls`: its init fields with their defaults, and its `_target_`.

    Plain types are checked when a setting is overridden; everything else is checked by `cls` itself.
    """
    hints = get_type_hints(cls)
    target: list[tuple[str, Any, Any]] = [("_target_", str, field(default=builds(cls)))]
    own = [(f.name, _type(hints[f.name]), _default(f)) for f in fields(cls) if f.init]
    return make_dataclass(cls.__name__, target + own)


def _type(hint: Any) -> Any:
    """The hint where OmegaConf can check it, else Any."""
    if hint in SIMPLE:
        return hint
    inner = [t for t in SIMPLE if hint == (t | None)]
    return Optional[inner[0]] if inner else Any  # noqa: UP045 - OmegaConf wants the long form


def _default(f: Any) -> Any:
    if f.default is not MISSING:
        return field(default_factory=lambda: f.default) if isinstance(f.default, tuple) else field(default=f.default)
    if f.default_factory is MISSING:
        return field(default=UNSET)
    value = f.default_factory()
    own: type = type(value)
    return field(default_factory=schema(own) if is_dataclass(own) else f.default_factory)


def settled(config: Any, known: Mapping[str, type], where: str = "") -> Any:
    """The settings that a plain config describes, every `_target_` in it one of ours; nothing else is looked up.

    Args:
        known: by the name of what they build, such as `latentmech.probe.study.ProbeStudy`, or a room's name for it.
        where: the config's own name, for messages.

    Raises:
        BadInput: a class that is not ours, a field that it does not have, or a value that it refuses.
    """
    if isinstance(config, Mapping):
        inner = {str(k): settled(v, known, f"{where}.{k}".lstrip(".")) for k, v in config.items()}
        return _made(inner, known, where) if "_target_" in inner else inner
    return [settled(value, known, where) for value in config] if isinstance(config, list) else config


def _made(values: dict[str, Any], known: Mapping[str, type], where: str) -> Any:
    target = str(values.pop("_target_"))
    cls = known.get(target)
    if cls is None:
        raise BadInput(f"_target_={target} is not part of latentmech; settings may only name its own classes")
    own = {f.name: f for f in fields(cls) if f.init}
    if strange := [name for name in values if name not in own]:
        raise BadInput(f"{where}.{strange[0]}: no such setting; {expected(strange[0], own)}")
    needed = [n for n, f in own.items() if f.default is MISSING and f.default_factory is MISSING]
    if lacking := [name for name in needed if name not in values]:
        raise BadInput(f"{where}.{lacking[0]} is not set; give it on the command line: {where}.{lacking[0]}=...")
    return cls(**values)


def built(settings: Any) -> Any:
    """What acts on settings: the class that they name (else their own), imported now, its fields built likewise."""
    if not is_dataclass(settings) or isinstance(settings, type):
        return settings
    values = {f.name: built(getattr(settings, f.name)) for f in fields(settings) if f.init}
    place, _, name = builds(type(settings)).rpartition(".")
    return getattr(import_module(place), name)(**values)


def builds(cls: type) -> str:
    """The full name of what settings build."""
    return getattr(cls, "builds", f"{cls.__module__}.{cls.__qualname__}")


def names_of(classes: Iterable[type]) -> dict[str, type]:
    """Every name under which a config may ask for one of the classes: its own, and that of its room."""
    found: dict[str, type] = {}
    for cls in classes:
        full = builds(cls)
        package, name = full.split(".")[:2], full.rpartition(".")[2]
        found |= {full: cls, ".".join([*package, name]): cls}
    return found


def published(config: DictConfig) -> str:
    """The resolved config as YAML. What comes from the environment stays a reference, secrets are blotted out."""
    return OmegaConf.to_yaml(OmegaConf.create(_public(config, OmegaConf.to_container(config))), resolve=False)


def _public(config: Any, raw: Any) -> Any:
    if isinstance(raw, dict):
        given = {key: value for key, value in raw.items() if not OmegaConf.is_missing(config, key)}
        return {str(k): "***" if SECRET.search(str(k)) and v else _public(config[k], v) for k, v in given.items()}
    if isinstance(raw, list):
        return [_public(config[i], value) for i, value in enumerate(raw)]
    if isinstance(raw, str) and "${oc.env:" in raw:
        return raw.replace("${", "\\${")
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
