"""The card of a direction: all that another paper needs to use it, and to know what it is worth."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.direction.findings import Findings
from latentmech.direction.reading import Reading
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


def with_card(name: str, reading: Reading, seed: int, findings: Findings, model: Model) -> Direction:
    """The direction with everything about it written down."""
    best, joint = findings.best, findings.contrast.joint
    card = {
        "name": name,
        "model": {
            "name": model.name,
            "revision": model.checkpoint.revision,
            "fingerprint": model.fingerprint,
            "identity": model.identity,
            "note": model.checkpoint.note,
        },
        "site": reading.site,
        "layer": best.level.layer,
        "chat_template": reading.chat_template and bool(model.tokenizer.chat_template),
        "system": reading.system,
        "data": {
            "source": findings.contrast.source,
            "fingerprint": fingerprint([joint.texts, joint.splits, findings.contrast.labels.tolist()]),
            "texts": dict(findings.sizes()),
            "paired": findings.contrast.paired,
        },
        "method": reading.method,
        "selection": findings.choice.how,
        "seed": seed,
        "scores": _scores(findings),
        "projections": _projections(findings),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "licence": LICENCE,
        "bibtex": BIBTEX,
    }
    own = findings.direction
    return direction_of(findings.candidates, findings.choice.candidate, own.resid_norms, card)


def _scores(findings: Findings) -> dict[str, Any]:
    nulls = {"random_p95": findings.audit.random, "shuffled_p95": findings.shuffled_max()}
    high = {name: float(np.percentile(values, 95)) for name, values in nulls.items() if len(values)}
    return {
        "dev_auroc": findings.best.dev,
        "test_auroc": _as_dict(findings.audit.test),
        "split_half_cosine": findings.stability.cosine,
        "texts_needed_for_0.9": findings.stability.texts_needed,
        **high,
    }


def _projections(findings: Findings) -> dict[str, float]:
    """Where the two kinds of train lie along the vector at the chosen level, and how much a kind spreads there."""
    best = findings.best
    return {
        "negative": float(best.means[0] @ best.vector),
        "positive": float(best.means[1] @ best.vector),
        "std": best.spread,
    }


def _as_dict(estimate: Estimate) -> dict[str, float | int]:
    return dict(vars(estimate))
