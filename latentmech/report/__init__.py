"""What a study says, and where it goes: files, one HTML page, the console, Weights & Biases."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.report.common import account, band, by_depth, values
    from latentmech.report.console import print_report
    from latentmech.report.figures.grid import confusion, heat_map, inscribe
    from latentmech.report.figures.levels import layer_curve, trade_off
    from latentmech.report.figures.page import map_page
    from latentmech.report.figures.points import PointMap, point_maps
    from latentmech.report.figures.style import OKABE_ITO
    from latentmech.report.files import render_html, write_run
    from latentmech.report.plan import announce
    from latentmech.report.report import ROW_COLUMNS, Curve, Ledger, Method, Picture, Report, Table
    from latentmech.report.sinks import ConsoleSink, WandbSink, fetch_artifact
    from latentmech.report.sweep import at_strength, joined, print_sweep

__getattr__, __dir__, __all__ = lazily(__name__)
