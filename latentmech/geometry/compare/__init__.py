"""Two models, level by level."""

from latentmech.geometry.compare.study import CompareStudy

__all__ = ["CompareStudy"]
