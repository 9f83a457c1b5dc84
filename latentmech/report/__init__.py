"""What a study says, and where it goes: files, one HTML page, the console, Weights & Biases."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.report.common import account, band, by_depth, values
    from latentmech.report.console import print_report
    from latentmech.report.figures import (
        OKABE_ITO,
        PointMap,
        confusion,
        heat_map,
        inscribe,
        layer_curve,
        map_page,
        point_maps,
        trade_off,
    )
    from latentmech.report.files import render_html, write_run
    from latentmech.report.report import ROW_COLUMNS, Curve, Ledger, Method, Picture, Report, Table
    from latentmech.report.sinks import ConsoleSink, WandbSink, fetch_artifact
    from latentmech.report.sweep import at_strength, joined, print_sweep

__getattr__, __dir__, __all__ = lazily(__name__)
