"""Residual streams: collected by hooks, kept on disk under a fingerprint, summed up in one pass."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.activations.activations import Activations
    from latentmech.activations.collection import Request, collect
    from latentmech.activations.moments import JointMoments, Moments
    from latentmech.activations.reduction import LEFT_OUT, Held, Piece, Pieces, Streamed, Sums, name_of
    from latentmech.activations.settings import ActivationStoreSettings
    from latentmech.activations.store import ActivationStore
    from latentmech.activations.sums import all_of

__getattr__, __dir__, __all__ = lazily(__name__)
