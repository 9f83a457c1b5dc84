"""The tables of a direction study: left-out groups, test, layer by layer, other texts, other directions, other data."""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from latentmech.direction.findings import NAMES, NULLS, DirectionFindings
from latentmech.report import Table


def tables(found: DirectionFindings) -> dict[str, Table]:
    """All of them, in the order in which they are read."""
    first = {"left_out": left_out(found), "test": on_test(found), "layers": by_layer(found)}
    first["stability"] = halves(found)
    return first | {f"selection_{i}": t for i, t in enumerate(found.choice.tables)} | dict(elsewhere(found))


def left_out(found: DirectionFindings) -> Table:
    """The direction beside everything that lacks what it is said to have found, on groups that nobody had seen."""
    own = found.left_out
    rows: list[dict[str, object]] = [{"read by": NAMES["direction"], **own.auroc.cells("auroc", "low", "high")}]
    for name, lead in own.leads.items():
        ahead = lead.difference.cells("ahead by", "least", "most")
        rows.append({"read by": NAMES[name], **own.rivals[name].cells("auroc", "low", "high"), **ahead})
    rows += [{"read by": f"{NULLS[name]}, p95", "auroc": null.high, "p": null.p} for name, null in own.nulls.items()]
    anew = "chosen anew each time" if found.settings.selection is None else "the one of the study"
    caption = (
        f"AUROC on all texts, each scored by what had seen none of its group ({len(found.plan.folds)} folds, "
        f"{own.auroc.groups} groups); the place is {anew}. Ahead by: the direction minus the rival, paired; a rival is "
        "beaten if the whole interval lies above 0. Null directions choose their place on dev as the direction does; "
        f"p is how often they reach {own.at_place:.3f}, what the direction has at its place."
    )
    return Table(title="On groups left out", frame=pd.DataFrame(rows), caption=caption)


def on_test(found: DirectionFindings) -> Table:
    """The saved direction and the surface of the texts, on all test texts and on matched ones."""
    rows = [
        {"read by": NAMES[name], **raw.cells("auroc", "low", "high"), **matched.cells("matched")}
        for name, (raw, matched) in found.audit.readers.items()
    ]
    caption = (
        f"AUROC on {found.sizes['test']} test texts, read once at the chosen place by what was fitted on train, and on "
        f"the {found.audit.n_matched} of them that match in words and last character."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def by_layer(found: DirectionFindings) -> Table:
    """One row per level at the chosen position."""
    rows, times = [], Counter(found.candidates[place].name for place in found.left_out.places)
    for c in found.at_position():
        row = {"layer": c.level.tick, "mark": "best" if c is found.best else "", "dev auroc": c.key[0]}
        row |= {"distance (std)": c.key[1], "chosen in folds": times[c.name], "raw norm": c.norm, "spread": c.spread}
        row["median resid norm"] = found.direction.resid_norms[c.level.hook_name]
        rows.append(row | {f"{name} p95": high for name, high in c.high_dev.items()})
    caption = (
        f"At {found.best.position}, on dev. The place was chosen by {found.choice.how}; no other level was read on "
        "test. Spread: standard deviation of a class's training texts along the direction. Random directions count "
        "with their better sign."
    )
    return Table(title="Layer by layer", frame=pd.DataFrame(rows), caption=caption)


def halves(found: DirectionFindings) -> Table:
    """How alike the directions of two halves of train are."""
    stable = found.stability
    row = {**stable.cosine.cells("split-half cosine", "low", "high"), "texts in a half": stable.texts}
    row |= {"expected at all of train": stable.whole, "texts for cosine 0.9": stable.texts_needed}
    caption = (
        f"Directions of two random halves of the training groups, {stable.cosine.n} halvings, with the smallest and "
        "the largest. Texts for cosine 0.9 are not to be told from a cosine of 0 or less, nor from one of 1."
    )
    return Table(title="Would other texts give the same direction?", frame=pd.DataFrame([row]), caption=caption)


def elsewhere(found: DirectionFindings) -> Iterator[tuple[str, Table]]:
    """Cosines to other directions, and other data, as far as there are any."""
    if found.relatives:
        cosines = [(name, *both) for name, both in found.relatives.items()]
        frame = pd.DataFrame(cosines, columns=["direction", "cosine", "noise ceiling"])
        caption = "Same layer, same rule. The ceiling is what noise in both directions leaves of a true cosine of 1."
        yield "relatives", Table(title="Beside the other directions", frame=frame, caption=caption)
    if found.transfers:
        rows = [
            {
                "data": t.name, **t.auroc.cells("auroc", "low", "high"), "bag of words": t.bag_of_words.value,
                **t.lead.difference.cells("ahead by", "least", "most"),
                "texts": t.n, "in train, exactly": t.exact, "nearly": t.near,
            }
            for t in found.transfers
        ]  # fmt: skip
        caption = (
            "Read by the saved direction, and by a bag of words from the direction's own training texts. Data of one "
            "kind only are set against the negative test texts."
        )
        yield "transfer", Table(title="In other data", frame=pd.DataFrame(rows), caption=caption)
