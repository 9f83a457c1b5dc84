"""Pictures that can be read without the text around them."""

from latentmech.report.figures.grid import heat_map
from latentmech.report.figures.levels import layer_curve
from latentmech.report.figures.matrix import confusion
from latentmech.report.figures.style import OKABE_ITO, png
from latentmech.report.figures.trade import trade_off

__all__ = ["OKABE_ITO", "confusion", "heat_map", "layer_curve", "png", "trade_off"]
