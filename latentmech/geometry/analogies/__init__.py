"""Analogies: does an offset between words carry over to other words?"""

from latentmech.geometry.analogies.study import AnalogiesStudy

__all__ = ["AnalogiesStudy"]
