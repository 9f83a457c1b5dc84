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
    "direction": {"data.limit": 80, "draws": 100, "shuffles": 5, "random_draws": 5, "halvings": 2},
    "steering": {
        "direction.data.limit": 80,
        "draws": 100,
        "random": 2,
        "exchanged": 3,
        "n_tokens": 2,
        "kl_tokens": 2,
        "neutral_words": 100,
    },
    "geometry=analogies": {"data.limit": 5, "static": "null", "common": 50, "random_draws": 2, "draws": 100},
    "geometry=neighbours": {"data.limit": 300, "sample": 200, "k": 5, "common": 200},
    "geometry=compare": {
        "model@geometry.other": "tiny",
        "words": 60,
        "data.limit": 300,
        "contrast.limit": 60,
        "shuffles": 2,
        "halves": 4,
        "draws": 100,
    },
    "geometry=interpolation": {"steps": 3, "random": 1},
    "geometry=lens": {"tokens": 50, "draws": 100},
    "geometry=map": {
        "layers": "[1]",
        "dimensions": "[2]",
        "data.limit": 500,
        "points": 60,
        "perplexity": 5,
        "neighbours": 5,
        "permutations": 20,
        "seeds": 2,
    },
    "geometry=dimension": {"data.limit": 500, "points": 120, "scales": "[5,8]", "seeds": 2},
    "verify": {"n_tokens": 4},
    "retrieval": {"encoder": "null", "data.limit": 130, "data.query_limit": 20, "draws": 100, "shuffles": 3},
}


def quick(room):
    """Settings that make a study of this room (or room=option) take a second on the tiny model."""
    prefix = room.partition("=")[0]
    own = {key if "@" in key else f"{prefix}.{key}": value for key, value in SMALL[room].items()}
    return [*FAST, *(f"{key}={value}" for key, value in own.items())]


QUICK = quick("probe")


def room_of(arguments):
    """The room, or room=option, of `SMALL` that the arguments ask, also through a preset."""
    text = " ".join(arguments)
    for name in re.findall(r"\+experiment=(\w+)", text):
        text += (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
    found = [(name, *name.partition("=")[::2]) for name in SMALL]
    return next(name for name, room, option in found if re.search(rf"(^|\s|/){room}(=|: ){option}", text))


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
