"""The tables and numbers of near-duplicates and clusters."""

import numpy as np
import pandas as pd

from latentmech.report import Ledger, Table
from latentmech.retrieval.corpus import CorpusFindings
from latentmech.retrieval.findings import Findings
from latentmech.statistics import Estimate

NAMES = {"model": "model, best level", "encoder": "sentence encoder", "words": "words alone"}
SHOWN = 20  # pairs of near-duplicates in the report


def corpus_tables(findings: Findings) -> dict[str, Table]:
    """Those for which there was something to measure."""
    own, tables = findings.corpus, {}
    if own.thresholds:
        tables["duplicates"] = _threshold_table(own)
    if own.near.get("model"):
        tables["near_duplicates"] = _found_table(findings)
    if own.clusters:
        tables["clusters"] = _cluster_table(own)
    return tables


def corpus_numbers(corpus: CorpusFindings, ledger: Ledger) -> None:
    """Every number once, as a flat metric and as a row."""
    for who, threshold in corpus.thresholds.items():
        name, columns = f"retrieval/duplicates/{who}", {"control": None if who == "model" else who}
        ledger.add(f"{name}/threshold", threshold.value, "duplicates_threshold", split="dev", **columns)
        for measure, estimate in threshold.scores.items():
            ledger.add(f"{name}/{measure}", estimate, f"duplicates_{measure}", split="test", **columns)
    for who, found in corpus.near.items():
        columns = {"control": None if who == "model" else who}
        ledger.add(f"retrieval/duplicates/{who}/found", len(found), "near_duplicates", **columns)
    for who, agreed in corpus.clusters.items():
        columns = {"control": None if who == "model" else who}
        for measure in ("ari", "ami", "shuffled_ari"):
            values = getattr(agreed, measure)
            spread = Estimate(float(values.mean()), float(values.min()), float(values.max()), len(values))
            ledger.add(f"retrieval/clusters/{who}/{measure}", spread, f"clusters_{measure}", **columns)


def _threshold_table(corpus: CorpusFindings) -> Table:
    rows = []
    for who, threshold in corpus.thresholds.items():
        f1, auroc = threshold.scores["f1"], threshold.scores["auroc"]
        row: dict[str, object] = {"told by": NAMES[who], "threshold": threshold.value, "dev f1": threshold.dev_f1}
        row |= {"f1": f1.value, "low": f1.ci_low, "high": f1.ci_high}
        rows.append(row | {"auroc": auroc.value, "found in the corpus": len(corpus.near.get(who, ()))})
    n = next(iter(corpus.thresholds.values())).scores["f1"].n
    caption = (
        f"The threshold was chosen on dev pairs; F1 and AUROC are of {n} other pairs, with 95 % intervals over pairs. "
        "Words alone: shared word trigrams."
    )
    return Table(title="Near-duplicates", frame=pd.DataFrame(rows), caption=caption)


def _found_table(findings: Findings) -> Table:
    documents = findings.collection.documents
    text = dict(zip(documents.ids, documents.texts, strict=True))
    pairs = findings.corpus.near["model"][:SHOWN]
    rows = [{"cosine": cosine, "one": text[a][:80], "other": text[b][:80]} for a, b, cosine in pairs]
    caption = (
        f"The {len(rows)} closest of {len(findings.corpus.near['model'])} pairs at or above the model's threshold."
    )
    return Table(title="Near-duplicates found", frame=pd.DataFrame(rows), caption=caption)


def _cluster_table(corpus: CorpusFindings) -> Table:
    rows = [
        {
            "clustered by": NAMES[who],
            "ari": agreed.ari.mean(),
            "lowest seed": agreed.ari.min(),
            "highest": agreed.ari.max(),
            "ami": agreed.ami.mean(),
            "ari, shuffled labels": np.abs(agreed.shuffled_ari).max(),
        }
        for who, agreed in corpus.clusters.items()
    ]
    caption = (
        f"k-means with {corpus.n_labels} clusters against the documents' own labels, mean and range of seeds. "
        "Words alone: tf-idf. Shuffled labels: the largest of the seeds, either sign."
    )
    return Table(title="Clusters and topics", frame=pd.DataFrame(rows), caption=caption)
