"""What a model would say on the way from one state to another."""

from latentmech.geometry.interpolation.study import InterpolationStudy

__all__ = ["InterpolationStudy"]
