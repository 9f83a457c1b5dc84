"""The name under which other rooms still ask for it."""

from latentmech.report.sinks import fetch_artifact

__all__ = ["fetch_artifact"]
