"""Maps of a level in two or three dimensions, and how much of the level they keep."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.map.settings import MapSettings
    from latentmech.geometry.map.study import MapStudy

__getattr__, __dir__, __all__ = lazily(__name__)
