"""What is typed: read before Hydra does, refused with how to write it, and put into the form that sweeps need."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import filter_overrides
from hydra.errors import HydraException

from latentmech.errors import BadInput
from latentmech.fields import idle
from latentmech.run.questions import ROOMS

EXCLUDED = "hydra.job.config.override_dirname.exclude_keys"  # what folders are not named after
STRENGTHS, CHOOSE_BY = "steering.strengths", "steering.choose_by"


def command_of(overrides: Iterable[str]) -> str:
    """What to type to get a run again."""
    return shlex.join(["python", "-m", "latentmech.run", *overrides])


def jobs_of(overrides: Sequence[str]) -> list[str]:
    """The command of every job that Hydra's own sweeper makes of a sweep's overrides, in their order."""
    (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(list(overrides)), None)
    return [command_of(filter_overrides(job)) for job in jobs]


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse the first setting whose value Hydra's grammar cannot read.

    Raises:
        BadInput: it names the argument, and says how it is written.
    """
    for argument in arguments:
        if not argument.startswith("-") and "=" in argument and _parsed(argument) is None:
            raise BadInput(f"{argument} cannot be read; {_remedy(argument)}")


def _remedy(argument: str) -> str:
    key, _, value = argument.partition("=")
    if value[:1] in ("[", "{") and value[-1] != {"[": "]", "{": "}"}[value[0]]:
        return f"a list with blanks needs quotes around all of it: '{key}={value} ...'"
    if _parsed(f"{key}={value.rstrip(',')}") is not None:
        return f"leave the comma at its end out: {key}={value.rstrip(',')}"
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), value)
    if _parsed(f'{key}="{escaped}"') is None:
        return "expected NAME=VALUE"
    quoted = shlex.quote(f'"{escaped}"')
    return f"a value with such signs needs quotes of its own inside the shell's: {key}={quoted}"


def _parsed(argument: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def refuse_idle(settings: Mapping[str, Any], typed: Iterable[str]) -> None:
    """Refuse what was typed and would change nothing.

    Args:
        settings: by the group that a user knows them by.
        typed: the overrides of a run.

    Raises:
        BadInput: the setting, and why it has no say here.
    """
    parsed = [one for one in map(_parsed, typed) if one is not None]
    named = [one.package or one.key_or_group for one in parsed]
    for group, own in settings.items():
        for name, why, _ in idle(own, group):
            if name in named or any(key.startswith(f"{name}.") for key in named):
                raise BadInput(f"{name} changes nothing here: {why}; leave it out")


def refuse_inside(settings: Mapping[str, Any]) -> None:
    """Refuse a question that takes hook points of TransformerLens where another engine runs the model.

    Raises:
        BadInput: one does.
    """
    engine = settings["model"].engine
    for group, own in settings.items():
        if engine != "transformers" and (what := getattr(own, "inside", "")):
            seen = f"model.engine={engine}: this question of {group} {what}, which that engine does not do"
            raise BadInput(f"{seen}; set model.engine=transformers")


def sweep_arguments(arguments: list[str]) -> list[str]:
    """Arguments of a sweep as Hydra needs them; others as they are.

    In `-m probe=pos,number probe.draws=500` the second setting means nothing until the first is chosen, which
    Hydra does job by job; as a sweep over one value it is left to the jobs too. Folders are named after what varies.
    In a sweep over strengths every job chooses the block by all of them, so that they are points of one curve.
    """
    if not {"-m", "--multirun"} & set(arguments):
        return arguments
    arguments = [*arguments, *_one_block(_overrides(arguments))]
    overrides = _overrides(arguments)
    swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
    constant = {o.input_line: o.key_or_group for o in overrides if not o.is_sweep_override()}
    late = {line for line, key in constant.items() if key.split(".")[0] in swept & set(ROOMS)}
    own = [re.sub(r"=(.*)$", r"=choice(\1)", a) if a in late else a for a in arguments]
    names = f"{EXCLUDED}=[{','.join(constant.values())}]"
    first = next((i for i, a in enumerate(own) if "=" in a and not a.startswith("-")), len(own))
    return [*own[:first], names, *own[first:]]  # among the settings: a flag may follow them


def _overrides(arguments: Sequence[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides([a for a in arguments if not a.startswith("-") and "=" in a])


def _one_block(overrides: Sequence[Override]) -> list[str]:
    """For a sweep over strengths, the setting by which every job chooses its block by all of them."""
    swept = [one for one in overrides if one.is_sweep_override() and one.key_or_group == STRENGTHS]
    values = {value for one in swept for some in one.sweep_iterator() if isinstance(some, list) for value in some}
    typed = any(one.key_or_group == CHOOSE_BY for one in overrides)
    return [f"{CHOOSE_BY}=[{','.join(map(str, sorted(values)))}]"] if values and not typed else []
