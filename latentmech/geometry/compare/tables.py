"""The tables of a comparison: the models, the levels with their nulls, what became of direction, probe and effect."""

import numpy as np
import pandas as pd

from latentmech.geometry.compare.findings import TITLES, Against, CompareFindings
from latentmech.model import Model
from latentmech.report import Table


def tables(found: CompareFindings, model: Model) -> dict[str, Table]:
    """All of them: one of the models, if there are several, and those of each."""
    shown = {"models": model_table(found)} if found.several else {}
    for other in found.others:
        own = f"_{other.name}" if found.several else ""
        shown[f"levels{own}"] = level_table(found, other, model)
        if other.drifts:
            shown[f"drift{own}"] = drift_table(found, other, model)
        if other.probed:
            shown[f"probes{own}"] = probe_table(found, other, model)
        if other.effects:
            shown[f"effect{own}"] = effect_table(found, other, model)
    return shown


def model_table(found: CompareFindings) -> Table:
    """Means over levels; of the effect over those where it is clear, for there is no share elsewhere."""
    rows = []
    for other in [*found.others, *([found.twin] if found.twin else [])]:
        row: dict[str, object] = {"model": "random init" if other is found.twin else other.name}
        row |= {title: other.mean(name) for name, title in TITLES.items()}
        row |= {"direction cosine": other.cosine} if other.drifts else {}
        row |= {f"probe {n}": other.probe_mean(n) for n in ("frozen", "refitted")} if other.probed else {}
        if other.effects:
            kept = [effect.kept_turned.value for effect in other.clear]
            row |= {"effect kept at one length": float(np.mean(kept)) if kept else float("nan")}
            row |= {"clear levels": f"{len(kept)} of {len(other.effects)}"}
        rows.append(row)
    return Table(title="Models", frame=pd.DataFrame(rows), caption="Means over levels; 1 for equal states.")


def level_table(found: CompareFindings, other: Against, model: Model) -> Table:
    """Every measure at every level, beside its nulls."""
    caption = (
        f"{len(found.words.rows)} words, each form once. 1 for equal states. 95 % intervals over documents; Procrustes "
        "and subspace have one only where half of the words give about the same number. Shuffled: rows of one model "
        f"permuted (mean of draws); for the subspace, random ones. Twin: {model.name} against itself with random "
        "weights."
    )
    rows = []
    for level, alike in other.alike.items():
        row: dict[str, object] = {"layer": level.tick}
        if (there := other.matched[level]).layer != level.layer:
            row["other's layer"] = there.tick
        for name, value in alike.own.items():
            row |= value.cells(TITLES[name]) if value.kind else {TITLES[name]: value.value}
            row[f"{TITLES[name]} shuffled"] = alike.chance[name].value
            if found.twin is not None:
                row[f"{TITLES[name]} twin"] = found.twin.alike[level].own[name].value
        rows.append(row)
    return Table(title=f"{model.name} against {other.name}", frame=pd.DataFrame(rows), caption=caption)


def drift_table(found: CompareFindings, other: Against, model: Model) -> Table:
    """The direction, frozen and refitted."""
    rows = []
    for level, own in other.drifts.items():
        row = {"layer": level.tick, "cosine": own.cosine}
        row |= {"cosine twin": found.twin.drifts[level].cosine} if found.twin else {}
        row |= {f"in {model.name}": own.source.value, "frozen": own.frozen.value, "refitted": own.refitted.value}
        row |= own.loss.cells("refitted − frozen", "low", "high")
        rows.append(row | {"random p95": own.random_p95, "isotropic p95": own.isotropic_p95})
    caption = (
        f"Difference of means of the {found.called} training texts at their last token; AUROC on test. Frozen: "
        f"{model.name}'s direction on {other.name}'s states; refitted: found in {other.name}. Random: 95th percentile "
        "of directions drawn from the covariance of the training states there, whichever sign; isotropic: drawn evenly "
        f"from the sphere. The interval of the difference is over {own.loss.groups} groups of test texts."
    )
    title = f"The {found.called} direction from {model.name} to {other.name}"
    return Table(title=title, frame=pd.DataFrame(rows), caption=caption)


def probe_table(found: CompareFindings, other: Against, model: Model) -> Table:
    """The probes, frozen and refitted."""
    rows = []
    for level, own in other.probed.items():
        row: dict[str, object] = {"layer": level.tick, f"in {model.name}": own.source.value}
        row |= {"frozen": own.frozen.value}
        row |= {"frozen in the twin": found.twin.probed[level].frozen.value} if found.twin else {}
        row |= {"refitted": own.refitted.value} | own.loss.cells("refitted − frozen", "low", "high")
        rows.append(row | {"majority": own.majority})
    caption = (
        f"Test accuracy of ridge probes for {found.probe} on {own.loss.n} words of {own.loss.groups} other documents. "
        f"Frozen: {model.name}'s probe, weights and bias untouched, on {other.name}'s states; in the twin: on those of "
        f"random weights. Refitted: trained on {other.name}'s. At the embedding a probe knows the token and no more."
    )
    title = f"{found.probe} probes from {model.name} to {other.name}"
    return Table(title=title, frame=pd.DataFrame(rows), caption=caption)


def effect_table(found: CompareFindings, other: Against, model: Model) -> Table:
    """What adding the directions does."""
    rows = []
    for level, own in other.effects.items():
        row: dict[str, object] = {"layer": level.tick, f"in {model.name}": own.source.value}
        row |= own.frozen.cells("frozen") | own.refitted.cells("refitted") | {"on dev": own.dev}
        row |= {"random, largest": own.random_max, "isotropic, largest": own.isotropic_max}
        row |= own.kept.cells("kept", "kept, low", "kept, high")
        row |= own.kept_turned.cells("kept at one length", "kept at one length, low", "kept at one length, high")
        rows.append(row | {"length ratio": own.length})
    caption = (
        f"Mean change of the log-odds in nats when the {found.called} direction is added to every token, with 95 % "
        f"intervals over {own.source.n} prompts in {own.source.groups} groups. Frozen: {model.name}'s direction at its "
        f"own length, in {other.name}; refitted: {other.name}'s own; on dev: the same on other prompts, which choose "
        f"the headline's block. Random: the largest of {found.counts['random']} vectors of the refitted one's length, "
        "either way, drawn from the covariance of the states; isotropic: drawn evenly from the sphere. Kept: frozen "
        "over refitted, where the refitted effect is shown to be larger than that of every random vector; at one "
        "length: the frozen one stretched to the refitted one's. Length ratio: frozen over refitted."
    )
    return Table(title=f"What is left of its effect in {other.name}", frame=pd.DataFrame(rows), caption=caption)
