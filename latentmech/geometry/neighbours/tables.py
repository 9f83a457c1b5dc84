"""The tables of a neighbours study: the clouds, and the neighbours themselves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from latentmech.geometry.neighbours.findings import Findings
from latentmech.geometry.neighbours.pools import Pool
from latentmech.geometry.neighbours.words import said
from latentmech.geometry.similarity import SIMILARITIES
from latentmech.report import Table

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.study import NeighboursStudy


def cloud_table(study: "NeighboursStudy", findings: Findings, pool: Pool) -> Table:
    """One row per level: anisotropy and hubness by every similarity."""
    by_kind = {kind: findings.of(pool.name, kind) for kind in SIMILARITIES}
    twin = {cloud.space: cloud for cloud in findings.twin if cloud.pool == pool.name}
    rows = []
    for i, near in enumerate(findings.near(pool.name)):
        row: dict[str, object] = {"level": near.tick}
        row |= {f"anisotropy, {kind}": by_kind[kind][i].anisotropy for kind in ("cosine", "centred_cosine", "causal")}
        for kind in SIMILARITIES:
            cloud = by_kind[kind][i]
            row |= {f"hubness, {kind}": cloud.hubness, f"{kind}: Gaussian": cloud.hubness_null}
        if near.space in twin:
            own = twin[near.space]
            row |= {"random init: anisotropy": own.anisotropy, "random init: hubness": own.hubness}
        rows.append(row | {"neighbours kept from embed": near.kept})
    n = len(pool.labels)
    caption = (
        f"On {by_kind['cosine'][0].n:,} of {n:,} {pool.name}. Anisotropy: mean cosine of pairs; hubness: skew "
        f"of how often each is among the {study.k} nearest of another, beside a Gaussian cloud of the same mean and "
        f"covariance. Neighbours kept: of the queries, by {said(study.similarity)}; by chance {study.k / (n - 1):.3f}."
    )
    return Table(title=f"The cloud of {pool.name}, level by level", frame=pd.DataFrame(rows), caption=caption)


def short_table(study: "NeighboursStudy", findings: Findings, pool: Pool) -> Table:
    """Every query at a few levels from bottom to top."""
    spaces = findings.near(pool.name)
    places = sorted({round(i * (len(spaces) - 1) / 4) for i in range(5)})
    rows = [
        {
            "of": pool.labels[query],
            "level": spaces[place].tick,
            "nearest": _listed(pool, spaces[place].places[i][:5].tolist()),
            "similarity of the 1st": float(spaces[place].scores[i][0]),
        }
        for i, query in enumerate(pool.queries)
        for place in places
    ]
    caption = f"By {said(study.similarity)}, among {len(pool.labels):,} {pool.name}; all levels further below."
    return Table(title=f"Nearest {pool.name}", frame=pd.DataFrame(rows), caption=caption)


def full_table(findings: Findings, pool: Pool) -> Table:
    """One row for every query, level and neighbour."""
    rows = [
        {
            "of": pool.labels[query],
            "level": near.tick,
            "place": place,
            "neighbour": pool.labels[row],
            "similarity": score,
        }
        for near in findings.near(pool.name)
        for i, query in enumerate(pool.queries)
        for place, (row, score) in enumerate(zip(near.places[i].tolist(), near.scores[i].tolist(), strict=True), 1)
    ]
    return Table(title=f"Nearest {pool.name}, all levels", frame=pd.DataFrame(rows))


def _listed(pool: Pool, rows: Sequence[int]) -> str:
    return (", " if pool.name == "words" else " | ").join(pool.labels[row] for row in rows)
