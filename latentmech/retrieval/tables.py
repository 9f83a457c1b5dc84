"""The tables of a retrieval study, as a reader sees them."""

import pandas as pd

from latentmech.report import Table
from latentmech.retrieval.findings import MAIN, SEARCHED_BY, RetrievalFindings, at_levels

VECTORS_OF = {"model": "model, best level", "encoder": "sentence encoder", "words": "words alone"}
SHOWN = 20  # pairs of near-duplicates in the report


def tables(found: RetrievalFindings) -> dict[str, Table]:
    """Those for which there was something to measure."""
    own = {"test": _test_table(found), "levels": level_table(found), "ways": way_table(found)}
    own |= {"duplicates": _threshold_table(found)} if found.thresholds else {}
    own |= {"near_duplicates": _pair_table(found)} if found.near.get("model") else {}
    return own | ({"clusters": _cluster_table(found)} if found.clusters else {})


def _test_table(found: RetrievalFindings) -> Table:
    rows = []
    for who in (name for name in SEARCHED_BY if name in found.on_test):
        own = found.on_test[who]
        row: dict[str, object] = {"searched by": SEARCHED_BY[who], **own[MAIN].cells(MAIN, "low", "high")}
        row |= {name: one.value for name, one in own.items() if name != MAIN}
        rows.append(row | (found.gaps[who].difference.cells("model minus it", "from", "to") if who != "model" else {}))
    if found.p is not None:
        rows.append({"searched by": "model, shuffled judgements", **found.by_chance.cells(MAIN, "low", "high")})
    n, groups = found.on_test["model"][MAIN].n, found.on_test["model"][MAIN].groups
    over = f"{n} test queries" + (f" in {groups} groups" if groups < n else "")
    caption = (
        f"{over} over {len(found.collection.documents):,} documents, read once by what dev chose for the model, its "
        "embedding and its twin. Intervals are 95 %, over queries; differences are paired by query. For shuffled "
        "judgements low and high are the smallest and the largest shuffle."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def level_table(found: RetrievalFindings) -> Table:
    """One row per level, with its best pooling and space on dev."""
    equals = {candidate.level.hook_name for candidate in found.equals or ()}
    twin = {c.level.hook_name: c for c in at_levels(found.twin)}
    rows = []
    for candidate in at_levels(found.candidates):
        same = "≈" if candidate.level.hook_name in equals else ""
        mark = "best" if candidate.level == found.chosen.level else same
        row: dict[str, object] = {"layer": candidate.level.tick, "mark": mark, MAIN: candidate.score}
        row |= {"pooling": candidate.pooling.replace("_", " "), "space": candidate.space}
        rows.append(row | ({"random init": twin[candidate.level.hook_name].score} if twin else {}))
    n = found.collection.queries.splits.count("dev")
    told = "≈ marks the other levels that may be the best (model confidence set of 95 %)."
    if found.equals is None:
        told = "Dev is too small to tell which other levels may be the best."
    caption = (
        f"nDCG@10 on {n} dev queries of the best pooling and space at each level; the choice was made here, so these "
        f"are too good. {told}"
    )
    return Table(title="Level by level, on dev", frame=pd.DataFrame(rows), caption=caption)


def way_table(found: RetrievalFindings) -> Table:
    """One row per pooling and space, with its best level on dev."""
    rows = []
    for way in dict.fromkeys(c.way for c in found.candidates):
        own = [c for c in found.candidates if c.way == way]
        best = max(own, key=lambda c: c.score)
        row = {"pooling": best.pooling.replace("_", " "), "space": best.space, "best level": best.level.tick}
        rows.append(row | {MAIN: best.score, "mean over levels": sum(c.score for c in own) / len(own)})
    caption = "nDCG@10 on dev; centring and whitening are fitted to the documents alone."
    return Table(title="By pooling and space, on dev", frame=pd.DataFrame(rows), caption=caption)


def _threshold_table(found: RetrievalFindings) -> Table:
    rows = []
    for who, threshold in found.thresholds.items():
        own = found.told_apart[who]
        row: dict[str, object] = {"told by": VECTORS_OF[who], "threshold": threshold.value, "dev f1": threshold.dev_f1}
        row |= own["f1"].cells("f1", "low", "high") | own["auroc"].cells("auroc", "from", "to")
        rows.append(row | {"found in the corpus": len(found.near[who]) if who in found.near else None})
    f1 = found.told_apart["words"]["f1"]
    over = f"{f1.n} other pairs" + (f" in {f1.groups} groups that share no text" if f1.groups < f1.n else "")
    caption = (
        f"The threshold was chosen on dev pairs; F1 and AUROC are of {over}, with 95 % intervals over these. "
        "Words alone: shared word trigrams."
    )
    return Table(title="Near-duplicates", frame=pd.DataFrame(rows), caption=caption)


def _pair_table(found: RetrievalFindings) -> Table:
    text = dict(zip(found.collection.documents.ids, found.collection.documents.texts, strict=True))
    pairs = found.near["model"]
    rows = [{"cosine": cosine, "one": text[a][:80], "other": text[b][:80]} for a, b, cosine in pairs[:SHOWN]]
    caption = f"The {len(rows)} closest of {len(pairs)} pairs at or above the model's threshold."
    return Table(title="Near-duplicates found", frame=pd.DataFrame(rows), caption=caption)


def _cluster_table(found: RetrievalFindings) -> Table:
    rows: list[dict[str, object]] = []
    for who, agreed in found.clusters.items():
        ari, shuffled = agreed["ari"].cells("ari", "lowest seed", "highest"), agreed["shuffled_ari"]
        far = max(-shuffled.ci_low, shuffled.ci_high)
        rows.append({"clustered by": VECTORS_OF[who], **ari, "ami": agreed["ami"].value, "ari, shuffled labels": far})
    n_labels = len(set(found.collection.documents.columns[found.settings.cluster_by or ""]))
    caption = (
        f"k-means with {n_labels} clusters against the documents' own labels, mean and range of seeds. "
        "Words alone: tf-idf. Shuffled labels: the largest of the seeds, either sign."
    )
    return Table(title="Clusters and topics", frame=pd.DataFrame(rows), caption=caption)
