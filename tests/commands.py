"""`invoke`: the command line in this process, with its output and exit code."""

import contextlib
import io
import re
import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
FAST = ["model=tiny", "report=console"]
SMALL = {
    "probe": {"data.limit": 900, "draws": 100, "control_seeds": 1, "unseen_classes": "drop"},
    "direction": {"data.limit": 80, "draws": 100, "shuffles": 5, "random_draws": 5, "halvings": 2, "compare": "false"},
    "steering": {
        "direction.data.limit": 80,
        "draws": 100,
        "random": 2,
        "n_tokens": 2,
        "kl_tokens": 2,
        "neutral_words": 100,
    },
}


def quick(room):
    """Settings that make a study of this room take a second on the tiny model."""
    return [*FAST, *(f"{room}.{key}={value}" for key, value in SMALL[room].items())]


QUICK = quick("probe")


def room_of(arguments):
    """The room that the arguments ask, also through a preset."""
    text = " ".join(arguments)
    for name in re.findall(r"\+experiment=(\w+)", text):
        text += (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
    return next(room for room in SMALL if re.search(rf"(^|\s|/){room}(=|: )", text))


def invoke(*arguments):
    """Run `python -m latentmech.run ARGUMENTS`; returns exit code, standard output, standard error."""
    from latentmech.run import main

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", ["run", *arguments]),
    ):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue(), err.getvalue()
