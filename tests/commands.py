"""`invoke`: the command line in this process, with its output and exit code."""

import contextlib
import io
import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
QUICK = ["model=tiny", "report=console", "probe.data.limit=900", "probe.draws=100", "probe.control_seeds=1"]
QUICK += ["probe.unseen_classes=drop"]


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
