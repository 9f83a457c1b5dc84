"""From findings to a `Report`: whether neighbours can be trusted here, the neighbours, the pictures."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from latentmech.geometry.neighbours.findings import Cloud, Findings
from latentmech.geometry.neighbours.pools import Pool
from latentmech.geometry.similarity import SIMILARITIES
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, Report, Table, layer_curve
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.study import NeighboursStudy

ROOM = "geometry/neighbours"
HUB = 1.0  # skewness above which a distribution is commonly called strongly skewed
CONE = 0.5  # mean cosine above which a cosine says little


def present(study: "NeighboursStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "neighbours", "site": study.site})
    _numbers(findings, ledger)
    tables = {f"near_{pool.name}": _short_table(study, findings, pool) for pool in findings.pools}
    tables |= {f"cloud_{pool.name}": _cloud_table(study, findings, pool) for pool in findings.pools}
    tables |= {f"all_{pool.name}": _full_table(findings, pool) for pool in findings.pools}
    return Report(
        title=f"Nearest neighbours in {model.name}",
        headline=_headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=dict(_pictures(study, findings, model)),
        curves=tuple(_curves(study, findings)),
        notes=tuple(_notes(study, findings, model)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {pool.name: fingerprint([pool.examples.texts, pool.examples.spans]) for pool in findings.pools},
        },
    )


def _headline(study: "NeighboursStudy", findings: Findings, model: Model) -> str:
    """How narrow the cone is, and how strong the hubs."""
    clouds = findings.of(findings.pools[0].name, study.similarity)
    widest, narrowest = (f(clouds, key=lambda c: c.anisotropy) for f in (min, max))
    hub = max(clouds, key=lambda c: c.hubness)
    above = sum(cloud.hubness > cloud.hubness_null for cloud in clouds)
    return (
        f"By {_said(study.similarity)}, two {findings.pools[0].name} of {model.name} have a mean cosine of "
        f"{widest.anisotropy:.2f} ({widest.tick}) to {narrowest.anisotropy:.2f} ({narrowest.tick}). Hubness is highest "
        f"at {hub.tick} ({hub.hubness:.1f}; a Gaussian cloud of that shape has {hub.hubness_null:.1f}), and above its "
        f"Gaussian cloud at {above} of {len(clouds)} levels."
    )


def _said(kind: str) -> str:
    return {"causal": "the causal inner product", "euclidean": "Euclidean distance"}.get(kind, kind.replace("_", " "))


def _numbers(findings: Findings, ledger: Ledger) -> None:
    for cloud in findings.clouds:
        _cloud_numbers(ledger, f"{ROOM}/{cloud.pool}/{cloud.space}/{cloud.kind}", cloud, None)
    for cloud in findings.twin:
        _cloud_numbers(ledger, f"{ROOM}/random_init/{cloud.pool}/{cloud.space}/{cloud.kind}", cloud, "random_init")
    for near in findings.neighbourhoods:
        columns = {"layer": near.space, "split": near.pool}
        ledger.add(f"{ROOM}/{near.pool}/{near.space}/kept_from_embed", near.kept, "kept_from_embed", **columns)


def _cloud_numbers(ledger: Ledger, name: str, cloud: Cloud, control: str | None) -> None:
    columns = {"layer": cloud.space, "method": cloud.kind, "split": cloud.pool}
    for metric in ("anisotropy", "hubness", "never"):
        ledger.add(f"{name}/{metric}", getattr(cloud, metric), metric, control=control, **columns)
    null = "gaussian" if control is None else f"gaussian_{control}"
    ledger.add(f"{name}/hubness_gaussian", cloud.hubness_null, "hubness", control=null, **columns)


def _cloud_table(study: "NeighboursStudy", findings: Findings, pool: Pool) -> Table:
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
        f"covariance. Neighbours kept: of the queries, by {_said(study.similarity)}; by chance {study.k / (n - 1):.3f}."
    )
    return Table(title=f"The cloud of {pool.name}, level by level", frame=pd.DataFrame(rows), caption=caption)


def _short_table(study: "NeighboursStudy", findings: Findings, pool: Pool) -> Table:
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
    caption = f"By {_said(study.similarity)}, among {len(pool.labels):,} {pool.name}; all levels further below."
    return Table(title=f"Nearest {pool.name}", frame=pd.DataFrame(rows), caption=caption)


def _full_table(findings: Findings, pool: Pool) -> Table:
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


def _pictures(study: "NeighboursStudy", findings: Findings, model: Model) -> Iterator[tuple[str, Picture]]:
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


def _curves(study: "NeighboursStudy", findings: Findings) -> Iterator[Curve]:
    for pool in findings.pools:
        clouds = findings.of(pool.name, study.similarity)
        steps = tuple(map(float, range(len(clouds))))
        for metric in ("anisotropy", "hubness"):
            values = tuple(getattr(cloud, metric) for cloud in clouds)
            yield Curve(name=f"{ROOM}/{pool.name}/{metric}", axis=f"{ROOM}/depth", steps=steps, values=values)


def _notes(study: "NeighboursStudy", findings: Findings, model: Model) -> Iterator[str]:
    for pool in findings.pools:
        clouds = findings.of(pool.name, study.similarity)
        cones = [cloud.tick for cloud in clouds if cloud.anisotropy > CONE]
        hubs = [cloud.tick for cloud in clouds if cloud.hubness > max(HUB, cloud.hubness_null)]
        kind = _said(study.similarity)
        if cones:
            yield f"{pool.name}: by {kind} pairs have a mean cosine above {CONE} at {_some(cones, clouds)}."
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
