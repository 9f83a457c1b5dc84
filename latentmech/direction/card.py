"""The card of a direction: all that another paper needs to use it, and to know what it is worth."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from latentmech.data import Contrast
from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.direction.evaluation import LeftOut
from latentmech.direction.reading import Reading
from latentmech.direction.stability import Stability
from latentmech.model import Model
from latentmech.statistics import Estimate
from latentmech.storage import fingerprint

LICENCE = "Apache-2.0"
BIBTEX = (
    "@software{latentmech, title = {latentmech: questions about a transformer's latent space}, "
    "author = {The latentmech authors}, year = {2026}}"
)
PACKAGES = ("latentmech", "torch", "transformers", "transformer-lens")


def direction_of(
    candidates: Sequence[DirectionCandidate], chosen: int, norms: Mapping[str, float], card: Mapping[str, Any]
) -> Direction:
    """The candidates at the chosen one's position as one direction."""
    best = candidates[chosen]
    mine = {c.level.hook_name: c for c in candidates if c.position == best.position}
    return Direction(
        hook_name=best.level.hook_name,
        vectors={name: c.vector for name, c in mine.items()},
        positive_means={name: c.means[1] for name, c in mine.items()},
        negative_means={name: c.means[0] for name, c in mine.items()},
        norms={name: c.norm for name, c in mine.items()},
        resid_norms=dict(norms),
        spreads={name: c.spread for name, c in mine.items()},
        card={"position": best.position, **card},
    )


def card_of(
    name: str, model: Model, reading: Reading, contrast: Contrast, sizes: Mapping[str, int], **more: Any
) -> dict[str, Any]:
    """Everything about a direction written down.

    Args:
        more: what only the study knows, such as seed and scores.
    """
    joint = contrast.joint
    return {
        "name": name,
        "model": {
            "name": model.name,
            "revision": model.checkpoint.revision,
            "fingerprint": model.fingerprint,
            "identity": model.identity,
            "note": model.checkpoint.note,
        },
        "site": reading.site,
        "chat_template": reading.chat_template and bool(model.tokenizer.chat_template),
        "system": reading.system,
        "data": {
            "source": contrast.source,
            "fingerprint": fingerprint([joint.texts, joint.splits, contrast.labels.tolist()]),
            "texts": dict(sizes),
            "paired": contrast.paired,
        },
        "method": reading.method,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "licence": LICENCE,
        "bibtex": BIBTEX,
        **more,
    }


def of_the_level(
    best: DirectionCandidate, how: str, left_out: LeftOut, test: Estimate, stable: Stability
) -> dict[str, Any]:
    """What is true of the chosen level alone: how it was chosen, what it scores, where the kinds lie along it."""
    return {
        "layer": best.level.layer,
        "selection": how,
        "scores": {
            "dev_auroc": best.dev,
            "auroc": dict(vars(left_out.auroc)),
            "test_auroc": dict(vars(test)),
            "split_half_cosine": stable.cosine.value,
            "texts_needed_for_0.9": stable.texts_needed,
            **{f"{name}_p95": null.high for name, null in left_out.nulls.items()},
        },
        "projections": {
            "negative": float(best.means[0] @ best.vector),
            "positive": float(best.means[1] @ best.vector),
            "std": best.spread,
        },
    }
