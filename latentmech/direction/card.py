"""The card of a direction: all that another paper needs to use it, and to know what it is worth."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from latentmech.data import Contrast
from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.direction.evaluation import LeftOut
from latentmech.direction.positions import Reading
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
        hook_name=best.level.hook_name, card={"position": best.position, **card}, resid_norms=dict(norms),
        vectors={name: c.vector for name, c in mine.items()}, norms={name: c.norm for name, c in mine.items()},
        positive_means={name: c.means[1] for name, c in mine.items()},
        negative_means={name: c.means[0] for name, c in mine.items()},
        spreads={name: c.spread for name, c in mine.items()},
    )  # fmt: skip


def card_of(name: str, model: Model, reading: Reading, contrast: Contrast, **more: Any) -> dict[str, Any]:
    """What is true of the direction at every level; `more` is what only the study knows, such as the seed."""
    joint = contrast.joint
    texts = {split: joint.splits.count(split) for split in ("train", "dev", "test")}
    return {
        "name": name,
        "model": {
            "name": model.called,
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
            "texts": texts,
            "paired": contrast.paired,
        },
        "method": reading.method,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "licence": LICENCE,
        "bibtex": BIBTEX,
        **more,
    }


def of_the_level(best: DirectionCandidate, how: str, own: LeftOut, test: Estimate, stable: Stability) -> dict[str, Any]:
    """What is true of the chosen level alone: how it was chosen, what it scores, where the kinds lie along it."""
    low, high = (best.means @ best.vector).tolist()
    return {
        "layer": best.level.layer,
        "selection": how,
        "scores": {
            "dev_auroc": best.dev,
            "auroc": dict(vars(own.auroc)),
            "test_auroc": dict(vars(test)),
            "split_half_cosine": stable.cosine.value,
            "texts_needed_for_0.9": stable.texts_needed,
            **{f"{name}_p95": null.high for name, null in own.nulls.items()},
        },
        "projections": {"negative": low, "positive": high, "std": best.spread},
    }
