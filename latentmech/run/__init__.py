"""The command line, `python -m latentmech.run probe=pos`: the only room that knows Hydra."""

from latentmech.run.command_line import main

__all__ = ["main"]
