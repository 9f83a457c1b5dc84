"""First use: a model that nobody has checked here is checked before it gives a result, and what was found is kept.

The record stands under what it depends on: weights, configuration, precision, kind of device, and the versions of
torch, transformers, TransformerLens and what quantises. Once it is there, neither weights nor time are needed. A twin
with random weights runs the same code with other numbers: the record of the trained model stands for it.
"""

import importlib.metadata
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latentmech.errors import BadInput
from latentmech.model.handle import Model
from latentmech.model.parity.check import Check, road_of
from latentmech.model.parity.checks import against_float32, checks_of
from latentmech.model.parity.engine_checks import engine_checks
from latentmech.model.parity.truth import Truth, truth_of
from latentmech.model.precision import quantised_by
from latentmech.model.road import Road
from latentmech.model.vllm import VllmEngine
from latentmech.storage import cache_root, fingerprint, plain, save_json

FORMAT = 3  # raise when what is checked changes
REFERENCE: dict[str, Any] = {"engine": "transformers", "engine_arguments": None, "url": None}  # which runs every twin
LIBRARIES = ("torch", "transformers", "transformer-lens")


def trusted(model: Model) -> Road:
    """How the model is to be run; checks it if that has not been done.

    Raises:
        BadInput: it does not compute what plain transformers computes.
    """
    if "road" not in model.seen:
        checks = recorded(model)
        model.seen["checks"], model.seen["road"] = checks, road_of(checks)
    return model.seen["road"]


def refuse_without(model: Model, need: str, why: str) -> None:
    """Refuse a model that was seen not to do something.

    Args:
        need: a key of `REMEDIES`, such as `ablation`.
        why: how a sentence begins that says what is not to be had.

    Raises:
        BadInput: that check failed.
    """
    trusted(model)
    for check in model.seen["checks"]:
        if check.need == need and not check.passed:
            said = f"{why} {model.name}: "
            raise BadInput(said + (check.level.removeprefix(said) if math.isnan(check.size) else check.failure))


def recorded(model: Model) -> tuple[Check, ...]:
    """The checks on record, which are made now if there are none."""
    own = model.changed(random_init=False, **REFERENCE) if model.random_init else model
    path = record_path(own)
    found = _read(path)
    if found is None:
        under = f" under {own.engine}" if own.hosted else ""
        print(f"latentmech: first use of {own.name} here{under}: comparing it with plain transformers", file=sys.stderr)
        found = checked(own)
        save_json(path, {"key": _key(own), "checks": [plain(asdict(check)) for check in found]})
    return found


def checked(model: Model) -> tuple[Check, ...]:
    """The short check, of a model that is fit for use.

    Raises:
        BadInput: it is not.
    """
    checks = every_check(model, truth_of(model))  # the plain model is gone before TransformerLens loads its own
    if failed := [check for check in checks if not check.passed and not check.need]:
        raise BadInput(
            f"{model.name} does not compute here what plain transformers computes: {failed[0].failure}; verify=model "
            "shows every check"
        )
    return checks


def every_check(model: Model, truth: Truth) -> tuple[Check, ...]:
    """Every check of the engine that runs the model.

    Raises:
        BadInput: it cannot be booted there.
    """
    if model.hosted:
        VllmEngine(model).open()  # what cannot be booted says so itself
        return *engine_checks(model, truth), *against_float32(model, truth)
    assert model.bridge is not None
    return *checks_of(model, truth), *against_float32(model, truth)


def verified(model: Model) -> str:
    """SHA-256 over what was found when the model was compared with plain transformers."""
    trusted(model)
    return fingerprint([plain(asdict(check)) for check in model.seen["checks"]])


def record_path(model: Model) -> Path:
    """Where the record lies, or is to lie."""
    return cache_root() / "parity" / f"{fingerprint(_key(model))[:40]}.json"


def _key(model: Model) -> dict[str, Any]:
    own: dict[str, Any] = {"weights": model.checkpoint.weights_sha256, "config": model.checkpoint.config_sha256}
    own |= {"dtype": model.dtype, "compatibility_mode": model.compatibility_mode, **model.as_kept} | model.elsewhere
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES} | quantised_by(model.quantization)
    return {"format": FORMAT, **own, "device": model.torch_device.type, "versions": versions}


def _read(path: Path) -> tuple[Check, ...] | None:
    """None where there is none, or one that nobody wrote so."""
    try:
        rows: Sequence[dict[str, Any]] = json.loads(path.read_bytes())["checks"]
        return tuple(Check(**row | {"size": float("nan") if row["size"] is None else row["size"]}) for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
