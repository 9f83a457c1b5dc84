"""Pictures that can be read without the text around them."""

from latentmech.report.figures.grid import heat_map
from latentmech.report.figures.inscribe import inscribe
from latentmech.report.figures.levels import layer_curve
from latentmech.report.figures.matrix import confusion
from latentmech.report.figures.page import map_page
from latentmech.report.figures.points import PointMap, point_maps
from latentmech.report.figures.style import OKABE_ITO, png
from latentmech.report.figures.trade import trade_off

__all__ = [
    "OKABE_ITO",
    "PointMap",
    "confusion",
    "heat_map",
    "inscribe",
    "layer_curve",
    "map_page",
    "png",
    "point_maps",
    "trade_off",
]
