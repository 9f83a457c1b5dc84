"""Residual streams: collected by hooks, kept on disk under a fingerprint, summed up in one pass."""

from latentmech.activations.activations import Activations
from latentmech.activations.collect import Request, collect
from latentmech.activations.moments import Moments
from latentmech.activations.store import ActivationStore

__all__ = ["ActivationStore", "Activations", "Moments", "Request", "collect"]
