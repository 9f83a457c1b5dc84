"""Two models, level by level."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.compare.settings import CompareSettings
    from latentmech.geometry.compare.study import CompareStudy

__getattr__, __dir__, __all__ = lazily(__name__)
