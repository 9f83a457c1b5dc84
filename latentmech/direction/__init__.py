"""Behaviour directions: found by contrast, chosen on dev, kept with all that it takes to trust and reuse them."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.direction.candidates import Choice, Observer, Selection, ShownRates
    from latentmech.direction.direction import Direction, layer_of, unit
    from latentmech.direction.leace import Eraser
    from latentmech.direction.methods import DirectionMethod, method_of
    from latentmech.direction.nulls import covariance_directions, exchanges, isotropic_directions
    from latentmech.direction.positions import Reading, placed, rendered, rows_at
    from latentmech.direction.sample import LabelledRows, Parts
    from latentmech.direction.settings import METHODS, RULES, DirectionSettings, templated
    from latentmech.direction.sources import load_direction, push_to_hub
    from latentmech.direction.study import DirectionStudy, source_of

__getattr__, __dir__, __all__ = lazily(__name__)
