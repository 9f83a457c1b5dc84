"""Whether a model computes here what plain transformers computes: what a user runs before trusting one of their own."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.verify.settings import VerifySettings
    from latentmech.verify.study import VerifyStudy

__getattr__, __dir__, __all__ = lazily(__name__)
