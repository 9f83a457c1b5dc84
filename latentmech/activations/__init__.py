"""Residual streams: collected by hooks, kept on disk under a fingerprint, summed up in one pass."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.activations.activations import Activations
    from latentmech.activations.settings import ActivationStoreSettings
    from latentmech.activations.store import ActivationStore
    from latentmech.model import Moments, Request, collect

__getattr__, __dir__, __all__ = lazily(__name__)
