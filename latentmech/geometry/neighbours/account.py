"""What a neighbours study says: numbers, tables, pictures, sentences."""

from collections.abc import Iterator, Sequence

import pandas as pd

from latentmech.geometry.drawn import curves_of, level_table, line_picture
from latentmech.geometry.neighbours.findings import CloudShape, NeighboursFindings, Pool
from latentmech.geometry.settings import SIMILARITIES
from latentmech.model import Model
from latentmech.report import Ledger, Method, Picture, Report, Table, account
from latentmech.storage import fingerprint

ROOM = "geometry/neighbours"
MEASURES = {"anisotropy": "mean cosine of pairs", "hubness": "skewness of the k-occurrence"}
SAME = "euclidean"  # it compares the same vectors as the cosine, so its anisotropy is that
HUB = 1.0  # skewness above which a distribution is commonly called strongly skewed
CONE = 0.5  # mean cosine above which a cosine says little


def account_of(study: object, found: NeighboursFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "neighbours", "site": found.settings.site})
    for control, clouds in ((None, found.clouds), ("random_init", found.twin)):
        for cloud in clouds:
            name = "/".join([ROOM, *([control] if control else []), cloud.pool, cloud.space, cloud.kind])
            columns = {"layer": cloud.space, "method": cloud.kind, "split": cloud.pool}
            for metric in (*MEASURES, "never"):
                ledger.add(f"{name}/{metric}", getattr(cloud, metric), metric, control=control, **columns)
            null = f"gaussian_{control}" if control else "gaussian"
            ledger.add(f"{name}/hubness_gaussian", cloud.hubness_null, "hubness", control=null, **columns)
    for near in found.neighbourhoods:
        columns = {"layer": near.space, "split": near.pool}
        ledger.add(f"{ROOM}/{near.pool}/{near.space}/kept_from_embed", near.kept, "kept_from_embed", **columns)
    tables = {f"near_{pool.name}": short_table(found, pool) for pool in found.pools}
    tables |= {f"cloud_{pool.name}": _cloud_table(found, pool) for pool in found.pools}
    tables |= {f"all_{pool.name}": _full_table(found, pool) for pool in found.pools}
    data = {pool.name: fingerprint([pool.examples.texts, pool.examples.spans]) for pool in found.pools}
    names = [pool.name for pool in found.pools]
    curves = {f"{ROOM}/{n}/{of}": [getattr(c, of) for c in found.of(n)] for n in names for of in MEASURES}
    return account(
        study, model, ledger,
        title=f"Nearest neighbours in {model.name}",
        headline=_headline(found, model),
        tables=tables,
        pictures=dict(_pictures(found, model)),
        curves=curves_of(f"{ROOM}/depth", curves),
        notes=_notes(found),
        methods=_methods(found),
        provenance={"data": data},
    )  # fmt: skip


def _cloud_table(found: NeighboursFindings, pool: Pool) -> Table:
    by_kind = {kind: found.of(pool.name, kind) for kind in SIMILARITIES}
    columns = {f"anisotropy, {k}": [cloud.anisotropy for cloud in own] for k, own in by_kind.items() if k != SAME}
    for kind, clouds in by_kind.items():
        columns[f"hubness, {kind}"] = [cloud.hubness for cloud in clouds]
        columns[f"{kind}: Gaussian"] = [cloud.hubness_null for cloud in clouds]
    if found.twin and pool.name == found.twin[0].pool:
        columns |= {f"random init: {metric}": [getattr(own, metric) for own in found.twin] for metric in MEASURES}
    columns["neighbours kept from embed"] = [near.kept for near in found.near(pool.name)]
    n, k = len(pool.labels), found.settings.k
    caption = (
        f"On {by_kind['cosine'][0].n:,} of {n:,} {pool.name}. Anisotropy: mean cosine of pairs; hubness: skew "
        f"of how often each is among the {k} nearest of another, beside a Gaussian cloud of the same mean and "
        f"covariance. Neighbours kept: of the queries, by {said(found)}; by chance {k / (n - 1):.3f}."
    )
    return level_table(f"The cloud of {pool.name}, level by level", found.near(pool.name), columns, caption, "level")


def short_table(found: NeighboursFindings, pool: Pool) -> Table:
    """Every query at a few levels from bottom to top."""
    spaces = found.near(pool.name)
    between = ", " if pool.name == "words" else " | "
    some = [spaces[place] for place in sorted({round(i * (len(spaces) - 1) / 4) for i in range(5)})]
    rows = [
        (pool.labels[query], near.tick, between.join(pool.labels[row] for row in near.places[i][:5]), near.scores[i][0])
        for i, query in enumerate(pool.queries)
        for near in some
    ]
    frame = pd.DataFrame(rows, columns=["of", "level", "nearest", "similarity of the 1st"])
    caption = f"By {said(found)}, among {len(pool.labels):,} {pool.name}; all levels further below."
    return Table(title=f"Nearest {pool.name}", frame=frame, caption=caption)


def _full_table(found: NeighboursFindings, pool: Pool) -> Table:
    rows = [
        (pool.labels[query], near.tick, place, pool.labels[row], score)
        for near in found.near(pool.name)
        for i, query in enumerate(pool.queries)
        for place, (row, score) in enumerate(zip(near.places[i].tolist(), near.scores[i].tolist(), strict=True), 1)
    ]
    frame = pd.DataFrame(rows, columns=["of", "level", "place", "neighbour", "similarity"])
    return Table(title=f"Nearest {pool.name}, all levels", frame=frame)


def _pictures(found: NeighboursFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    pool = found.pools[0].name
    for metric, what in MEASURES.items():
        series = {k.replace("_", " "): [getattr(c, metric) for c in found.of(pool, k)] for k in SIMILARITIES}
        if metric == "anisotropy":
            del series[SAME]
        else:
            series["Gaussian, same covariance (cosine)"] = [c.hubness_null for c in found.of(pool, "cosine")]
        if found.twin:
            name = f"random weights ({found.settings.similarity.replace('_', ' ')})"
            series[name] = [getattr(cloud, metric) for cloud in found.twin]
        yield metric, line_picture(
            metric.capitalize(), ["\nunembed" if near.tick == "unembed" else near.tick for near in found.near(pool)],
            series, f"{what.capitalize()} at every level.",
            ylabel=what, title=f"{metric.capitalize()} of {pool} in {model.name}",
            xlabel="embedding, the output of each block, unembedding" if pool == "words" else "level",
        )  # fmt: skip


def _headline(found: NeighboursFindings, model: Model) -> str:
    clouds = found.of(found.pools[0].name)
    widest, narrowest = (f(clouds, key=lambda c: c.anisotropy) for f in (min, max))
    hub = max(clouds, key=lambda c: c.hubness)
    above = sum(cloud.hubness > cloud.hubness_null for cloud in clouds)
    return (
        f"By {said(found, of_angles=True)}, two {found.pools[0].name} of {model.name} have a mean cosine of "
        f"{widest.anisotropy:.2f} ({widest.tick}) to {narrowest.anisotropy:.2f} ({narrowest.tick}). Hubness is highest "
        f"at {hub.tick} ({hub.hubness:.1f}; a Gaussian cloud of that shape has {hub.hubness_null:.1f}), and above its "
        f"Gaussian cloud at {above} of {len(clouds)} levels."
    )


def said(found: NeighboursFindings, of_angles: bool = False) -> str:
    """The similarity that is shown, as a sentence names it; `of_angles`, the one that anisotropy is the mean of."""
    kind = "cosine" if of_angles and found.settings.similarity == SAME else found.settings.similarity
    return {"causal": "the causal inner product", SAME: "Euclidean distance"}.get(kind, kind.replace("_", " "))


def _notes(found: NeighboursFindings) -> Iterator[str]:
    for pool in found.pools:
        yield from pool.examples.notes
        clouds = found.of(pool.name)
        cones = [cloud.tick for cloud in clouds if cloud.anisotropy > CONE]
        hubs = [cloud.tick for cloud in clouds if cloud.hubness > max(HUB, cloud.hubness_null)]
        if cones:
            angle = said(found, of_angles=True)
            yield f"{pool.name}: by {angle} pairs have a mean cosine above {CONE} at {_some(cones, clouds)}."
        if hubs:
            what = f"by {said(found)} hubness is above {HUB:g} and above that of a Gaussian cloud"
            yield f"{pool.name}: {what} at {_some(hubs, clouds)}; there the same few are near everything."
    if any(pool.name == "contexts" for pool in found.pools):
        yield "contexts: at the embedding equal words have equal vectors, so hubness there is how often words occur."
    yield "A list of neighbours has no right answer to be compared with; it shows a similarity, not a use."
    if found.settings.similarity == "causal":
        yield "The causal inner product is derived for the state that the unembedding reads; below it is a wager."


def _some(ticks: Sequence[str], clouds: Sequence[CloudShape]) -> str:
    return "every level" if len(ticks) == len(clouds) else f"{len(ticks)} of {len(clouds)} levels ({', '.join(ticks)})"


def _methods(found: NeighboursFindings) -> Iterator[Method]:
    pools = " and ".join(f"{len(pool.queries)} among {len(pool.labels):,} {pool.name}" for pool in found.pools)
    yield Method(
        f"The {found.settings.k} nearest by {said(found)} were looked for at every level ({found.settings.site}): "
        f"{pools}. "
        "Centred vectors have the mean of all taken off; the causal inner product is that of the unembedding.",
        ("mu2018", "park2024"),
    )
    yield Method(
        "Anisotropy is the mean cosine of all pairs, hubness the skewness of how often each is among the nearest of "
        "another, beside that of one Gaussian cloud of the same mean and covariance. Nothing was tested; both describe "
        "the sample.",
        ("ethayarajh2019", "radovanovic2010"),
    )
