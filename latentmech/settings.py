"""Settings as dataclasses know them: schemas made from signatures, so that every default stands in one place."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, Optional, get_type_hints

from omegaconf import MISSING as UNSET
from omegaconf import DictConfig, OmegaConf

SIMPLE = (str, int, float, bool)
SECRET = re.compile(r"api_?key|token$|secret|password", re.IGNORECASE)


@cache
def schema(cls: type) -> type:
    """A structured config of the dataclass `cls`: its init fields with their defaults, and its `_target_`.

    Plain types are checked when a setting is overridden; everything else is checked by `cls` itself.
    """
    hints = get_type_hints(cls)
    target: list[tuple[str, Any, Any]] = [("_target_", str, field(default=f"{cls.__module__}.{cls.__qualname__}"))]
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


def targets(config: Any) -> Iterator[str]:
    """Every `_target_` in a config, however deep."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key == "_target_":
                yield str(value)
            else:
                yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)


def is_ours(target: str, get: Callable[[str], Any]) -> bool:
    """Whether a `_target_` names something defined in latentmech, and not what one of its modules imports."""
    if not target.startswith("latentmech."):
        return False
    found = get(target)
    return inspect.isclass(found) and found.__module__.startswith("latentmech.")


def published(config: DictConfig) -> str:
    """The resolved config as YAML. What comes from the environment stays a reference, secrets are blotted out."""
    return OmegaConf.to_yaml(OmegaConf.create(_public(config, OmegaConf.to_container(config))), resolve=False)


def _public(config: Any, raw: Any) -> Any:
    if isinstance(raw, dict):
        return {str(k): "***" if SECRET.search(str(k)) and v else _public(config[k], v) for k, v in _items(config, raw)}
    if isinstance(raw, list):
        return [_public(config[i], value) for i, value in enumerate(raw)]
    if isinstance(raw, str) and "${oc.env:" in raw:
        return raw.replace("${", "\\${")
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def _items(config: Any, raw: dict) -> Iterator[tuple[Any, Any]]:
    """Entries whose value is set; mandatory ones that nobody needed stay out."""
    for key, value in raw.items():
        if not OmegaConf.is_missing(config, key):
            yield key, value
