"""Analogies: does an offset between words carry over to other words?"""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.analogies.settings import AnalogiesSettings
    from latentmech.geometry.analogies.study import AnalogiesStudy

__getattr__, __dir__, __all__ = lazily(__name__)
