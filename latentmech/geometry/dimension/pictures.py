"""The pictures and curves of a dimension study."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.dimension.estimates import at_share
from latentmech.geometry.dimension.findings import CONTROLS, Found, middle_mle, range_of, values_of
from latentmech.model import Level, Model
from latentmech.report import Curve, Picture, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy

SHOWN_LEVELS = 5  # curves in the picture of sample sizes


def pictures(
    study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model
) -> Iterator[tuple[str, Picture]]:
    """A curve over the levels for each definition, and one over sample sizes."""
    names = {
        "two_nn": "TwoNN",
        middle_mle(study): f"MLE, k = {middle_mle(study)[5:]}",
        "participation_ratio": "participation ratio",
    }
    ticks = [level.tick for level in levels]
    for name, title in names.items():
        series = {model.name: values_of(found["model"], name)}
        series |= {text: values_of(found[who], name) for who, text in CONTROLS.items() if who in found}
        everyone = {model.name: "model"} | {text: who for who, text in CONTROLS.items() if who in found}
        bands = {text: range_of(found[who], name) for text, who in everyone.items()}
        figure = layer_curve(ticks, series, bands, None, f"dimension ({title})", f"{title} in {model.name}", best="")
        caption = f"{title} at every level with the range over draws, and of the controls."
        yield name.partition("_k")[0], Picture(title=title, figure=figure, caption=caption)
    if len(study.shares) > 1:
        yield "sample_size", _scan_picture(study, found, levels)


def _scan_picture(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Picture:
    shares = sorted(study.shares)
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(SHOWN_LEVELS, len(levels))).round().astype(int)).tolist()
    series = {levels[i].place: [found["model"][i][at_share("two_nn", share)].value for share in shares] for i in chosen}
    names = [f"{share:g}" for share in shares]
    figure = layer_curve(
        names, series, None, None, "dimension (TwoNN)", "TwoNN and sample size", xlabel="share of the draw", best=""
    )
    caption = "TwoNN estimated from parts of the draw, at a few levels. A flat line can be believed."
    return Picture(title="Sample size", figure=figure, caption=caption)


def curves(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    depth = tuple(0.0 if level.layer is None else level.layer + 1.0 for level in levels)
    for who, scores in found.items():
        prefix = "geometry/dimension" + ("" if who == "model" else f"/{who}")
        for name in ("two_nn", middle_mle(study), "participation_ratio"):
            values = tuple(values_of(scores, name))
            yield Curve(name=f"{prefix}/{name}", axis="geometry/depth", steps=depth, values=values)
