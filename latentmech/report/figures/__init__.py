"""Pictures that can be read without the text around them."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.report.figures.grid import confusion, heat_map, inscribe
    from latentmech.report.figures.levels import layer_curve, trade_off
    from latentmech.report.figures.page import map_page
    from latentmech.report.figures.points import PointMap, point_maps
    from latentmech.report.figures.style import OKABE_ITO, png

__getattr__, __dir__, __all__ = lazily(__name__)
