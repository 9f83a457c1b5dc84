"""What lies near a word, a token in context or a text, and how far that can be trusted."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.settings import NeighboursSettings
    from latentmech.geometry.neighbours.study import NeighboursStudy

__getattr__, __dir__, __all__ = lazily(__name__)
