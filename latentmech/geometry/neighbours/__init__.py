"""What lies near a word, a token in context or a text, and how far that can be trusted."""

from latentmech.geometry.neighbours.study import NeighboursStudy

__all__ = ["NeighboursStudy"]
