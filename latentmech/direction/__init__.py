"""Behaviour directions: found by contrast, chosen on dev, kept with all that it takes to trust and reuse them."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.direction.candidates import Parts, random_directions
    from latentmech.direction.direction import Direction, layer_of, unit
    from latentmech.direction.findings import Findings
    from latentmech.direction.leace import Eraser
    from latentmech.direction.methods import METHODS, Method
    from latentmech.direction.nulls import (
        covariance_directions,
        exchanged_directions,
        isotropic_directions,
    )
    from latentmech.direction.positions import placed, rendered
    from latentmech.direction.relatives import rows_at, shuffled_direction
    from latentmech.direction.sample import Sample
    from latentmech.direction.selection import Choice, Observer, Selection, Shown
    from latentmech.direction.sources import load_direction, push_to_hub
    from latentmech.direction.study import DirectionStudy

__getattr__, __dir__, __all__ = lazily(__name__)
