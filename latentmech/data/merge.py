"""The name under which other rooms still ask for it."""

from latentmech.data.examples import merge

__all__ = ["merge"]
