"""The name under which other rooms still ask for it."""

from latentmech.storage import plain

__all__ = ["plain"]
