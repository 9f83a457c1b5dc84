"""What a neighbours study says in sentences: the headline and the notes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from latentmech.geometry.neighbours.findings import Cloud, Findings
from latentmech.model import Model

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.study import NeighboursStudy

HUB = 1.0  # skewness above which a distribution is commonly called strongly skewed
CONE = 0.5  # mean cosine above which a cosine says little


def headline(study: "NeighboursStudy", findings: Findings, model: Model) -> str:
    """How narrow the cone is, and how strong the hubs."""
    clouds = findings.of(findings.pools[0].name, study.similarity)
    widest, narrowest = (f(clouds, key=lambda c: c.anisotropy) for f in (min, max))
    hub = max(clouds, key=lambda c: c.hubness)
    above = sum(cloud.hubness > cloud.hubness_null for cloud in clouds)
    return (
        f"By {said(_angle(study.similarity))}, two {findings.pools[0].name} of {model.name} have a mean cosine of "
        f"{widest.anisotropy:.2f} ({widest.tick}) to {narrowest.anisotropy:.2f} ({narrowest.tick}). Hubness is highest "
        f"at {hub.tick} ({hub.hubness:.1f}; a Gaussian cloud of that shape has {hub.hubness_null:.1f}), and above its "
        f"Gaussian cloud at {above} of {len(clouds)} levels."
    )


def said(kind: str) -> str:
    """A similarity as a sentence names it."""
    return {"causal": "the causal inner product", "euclidean": "Euclidean distance"}.get(kind, kind.replace("_", " "))


def _angle(similarity: str) -> str:
    """Whose cosines anisotropy is the mean of: Euclidean distance compares the vectors that the cosine does."""
    return "cosine" if similarity == "euclidean" else similarity


def notes_on(study: "NeighboursStudy", findings: Findings, model: Model) -> Iterator[str]:
    """What a reader must know before believing a neighbour."""
    for pool in findings.pools:
        clouds = findings.of(pool.name, study.similarity)
        cones = [cloud.tick for cloud in clouds if cloud.anisotropy > CONE]
        hubs = [cloud.tick for cloud in clouds if cloud.hubness > max(HUB, cloud.hubness_null)]
        kind = said(study.similarity)
        if cones:
            angle = said(_angle(study.similarity))
            yield f"{pool.name}: by {angle} pairs have a mean cosine above {CONE} at {_some(cones, clouds)}."
        if hubs:
            what = f"hubness is above {HUB:g} and above that of a Gaussian cloud"
            yield f"{pool.name}: by {kind} {what} at {_some(hubs, clouds)}; there the same few are near everything."
    if any(pool.name == "contexts" for pool in findings.pools):
        yield "contexts: at the embedding equal words have equal vectors, so hubness there is how often words occur."
    yield "A list of neighbours has no right answer to be compared with; it shows a similarity, not a use."
    if study.similarity == "causal":
        yield "The causal inner product is derived for the state that the unembedding reads; below it is a wager."
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    if not study.random_init:
        yield "Switched off by setting: random-init twin."


def _some(ticks: Sequence[str], clouds: Sequence[Cloud]) -> str:
    return "every level" if len(ticks) == len(clouds) else f"{len(ticks)} of {len(clouds)} levels ({', '.join(ticks)})"
