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
    from latentmech.report.files import write_run
    from latentmech.report.html import render_html
    from latentmech.report.ledger import Ledger
    from latentmech.report.methods import Method
    from latentmech.report.report import ROW_COLUMNS, Curve, Picture, Report, Table
    from latentmech.report.sinks import ConsoleSink
    from latentmech.report.sweep import joined, print_sweep
    from latentmech.report.wandb_artifact import fetch_artifact
    from latentmech.report.wandb_sink import WandbSink

__getattr__, __dir__, __all__ = lazily(__name__)
