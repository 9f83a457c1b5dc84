"""Pictures that can be read without the text around them."""

from latentmech.report.figures.levels import layer_curve
from latentmech.report.figures.matrix import confusion
from latentmech.report.figures.style import OKABE_ITO, png

__all__ = ["OKABE_ITO", "confusion", "layer_curve", "png"]
