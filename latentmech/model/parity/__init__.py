"""Whether a model computes here what plain transformers computes: measured once, kept under the model's identity."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.model.parity.check import Check
    from latentmech.model.parity.record import every_check, refuse_without, trusted, verified
    from latentmech.model.parity.truth import Truth, truth_of

__getattr__, __dir__, __all__ = lazily(__name__)
