# mypy: ignore-errors
"""Old names while other rooms move; goes when the last one has moved."""

from latentmech.direction.methods import method_of
from latentmech.direction.nulls import exchanged_directions
from latentmech.direction.nulls import isotropic_directions as random_directions  # noqa: F401
from latentmech.direction.positions import rows_at
from latentmech.direction.sample import Parts
from latentmech.direction.selection import ShownRates as Shown  # noqa: F401


def shuffled_direction(study, contrast, own, model, store):  # noqa: D103
    reading = study.reading(str(own.card["position"]))
    rows = rows_at(reading, contrast.joint, own.hook_name, model, store)
    return exchanged_directions(method_of(study.method), Parts.of(contrast), rows, 1, study.seed)[0]
