"""What a model would say on the way from one state to another."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.interpolation.settings import InterpolationSettings
    from latentmech.geometry.interpolation.study import InterpolationStudy

__getattr__, __dir__, __all__ = lazily(__name__)
