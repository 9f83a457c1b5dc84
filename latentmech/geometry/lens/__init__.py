"""What every level would say if it were the last."""

from latentmech.geometry.lens.study import LensStudy

__all__ = ["LensStudy"]
