"""The pictures and curves of a neighbours study."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from latentmech.geometry.neighbours.findings import Findings
from latentmech.geometry.neighbours.numbers import ROOM
from latentmech.geometry.similarity import SIMILARITIES
from latentmech.model import Model
from latentmech.report import Curve, Picture, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.study import NeighboursStudy


def pictures(study: "NeighboursStudy", findings: Findings, model: Model) -> Iterator[tuple[str, Picture]]:
    """Anisotropy and hubness of the first pool, level by level."""
    pool = findings.pools[0].name
    for metric, what in (("anisotropy", "mean cosine of pairs"), ("hubness", "skewness of the k-occurrence")):
        series = {
            kind.replace("_", " "): [getattr(c, metric) for c in findings.of(pool, kind)] for kind in SIMILARITIES
        }
        if metric == "anisotropy":
            del series["euclidean"]  # it compares the same vectors as the cosine
        else:
            series["Gaussian, same covariance (cosine)"] = [c.hubness_null for c in findings.of(pool, "cosine")]
        if findings.twin:
            series[f"random weights ({study.similarity.replace('_', ' ')})"] = [
                getattr(c, metric) for c in findings.twin
            ]
        figure = layer_curve(
            ["\nunembed" if near.tick == "unembed" else near.tick for near in findings.near(pool)],
            series,
            ylabel=what,
            title=f"{metric.capitalize()} of {pool} in {model.name}",
            xlabel="embedding, the output of each block, unembedding" if pool == "words" else "level",
            best="",
        )
        yield metric, Picture(title=metric.capitalize(), figure=figure, caption=f"{what.capitalize()} at every level.")


def curves(study: "NeighboursStudy", findings: Findings) -> Iterator[Curve]:
    """The same of every pool, by the similarity that is shown."""
    for pool in findings.pools:
        clouds = findings.of(pool.name, study.similarity)
        steps = tuple(map(float, range(len(clouds))))
        for metric in ("anisotropy", "hubness"):
            values = tuple(getattr(cloud, metric) for cloud in clouds)
            yield Curve(name=f"{ROOM}/{pool.name}/{metric}", axis=f"{ROOM}/depth", steps=steps, values=values)
