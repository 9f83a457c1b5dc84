"""The tables of a direction study: on test, layer by layer, other texts, other directions, other data."""

import numpy as np
import pandas as pd

from latentmech.direction.findings import Findings
from latentmech.report import Table

NAMES = {
    "direction": "direction",
    "direction_from_matched": "direction from matched train texts",
    "bag_of_words": "bag of words, naive Bayes",
    "length": "length in characters",
    "final_punctuation": "last character",
    "first_word": "first word",
}


def nulls(findings: Findings) -> dict[str, np.ndarray]:
    """The nulls that were not switched off."""
    nulls = {"random directions": findings.audit.random, "shuffled labels, best layer": findings.shuffled_max()}
    return {name: values for name, values in nulls.items() if len(values)}


def table_on_test(findings: Findings) -> Table:
    """The direction beside everything that could explain it, on raw and on matched texts."""
    audit = findings.audit
    rows = [
        {
            "read by": NAMES[r.name],
            "auroc": r.raw.value,
            "low": r.raw.ci_low,
            "high": r.raw.ci_high,
            "matched": r.matched.value,
            "matched low": r.matched.ci_low,
            "matched high": r.matched.ci_high,
        }
        for r in audit.readings
    ]
    n = len(findings.parts.within("test"))
    for name, values in (("random directions", audit.random), ("shuffled labels, best layer", findings.shuffled_max())):
        for which, value in (("95th percentile", 95), ("largest", 100)) if len(values) else ():
            row = {"read by": f"{name}, {which}", "auroc": float(np.percentile(values, value))}
            if name == "random directions" and len(audit.random_matched):
                row["matched"] = float(np.percentile(audit.random_matched, value))
            rows.append(row)
    caption = (
        f"AUROC on {n} test texts, read once at the chosen place, and on the {audit.n_matched} of them that match in "
        "words and last character. Intervals are 95 %, over groups. Random directions count with their better sign; "
        "shuffled labels with the best layer and position of each shuffle."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def layer_table(findings: Findings) -> Table:
    """One row per level at the chosen position."""
    rows = []
    for c in findings.at_position():
        row = {"layer": c.level.tick, "mark": "best" if c is findings.best else "", "dev auroc": c.dev}
        row["test auroc"] = findings.test_auroc(c)
        row |= {"distance (std)": c.distance, "raw norm": c.norm}
        row["median resid norm"] = findings.direction.resid_norms[c.level.hook_name]
        if len(c.random_dev):
            row["random p95"] = float(np.percentile(c.random_dev, 95))
        rows.append(row)
    caption = (
        f"At {findings.best.position}. The place was chosen by {findings.choice.how}; test at the other levels is "
        "there to be looked at and decided nothing."
    )
    return Table(title="Layer by layer", frame=pd.DataFrame(rows), caption=caption)


def stability_table(findings: Findings) -> Table:
    """How alike the directions of two halves of train are."""
    stable = findings.stability
    row = {"split-half cosine": stable.cosine, "low": stable.low, "high": stable.high, "texts in a half": stable.texts}
    row |= {"expected at all of train": stable.whole, "texts for cosine 0.9": stable.texts_needed}
    caption = f"Directions of two random halves of the training groups, {stable.repeats} halvings."
    return Table(title="Would other texts give the same direction?", frame=pd.DataFrame([row]), caption=caption)


def relative_tables(findings: Findings) -> dict[str, Table]:
    """Cosines to other directions, and other data, as far as there are any."""
    tables = {}
    if findings.relatives:
        rows = [{"direction": r.name, "cosine": r.cosine, "noise ceiling": r.ceiling} for r in findings.relatives]
        caption = "Same layer, same rule. The ceiling is what noise in both directions leaves of a true cosine of 1."
        tables["relatives"] = Table(title="Beside the other directions", frame=pd.DataFrame(rows), caption=caption)
    if findings.transfers:
        rows = [
            {
                "data": t.name,
                "auroc": t.auroc.value,
                "low": t.auroc.ci_low,
                "high": t.auroc.ci_high,
                "texts": t.n,
                "in train, exactly": t.exact,
                "nearly": t.near,
            }
            for t in findings.transfers
        ]
        caption = "Data of one kind only are set against the negative test texts."
        tables["transfer"] = Table(title="In other data", frame=pd.DataFrame(rows), caption=caption)
    return tables
