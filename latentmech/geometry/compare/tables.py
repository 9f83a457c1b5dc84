"""The tables of a comparison: the models, the levels with their nulls, what became of direction, probe and effect."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from latentmech.geometry.compare.findings import TITLES, Against, CompareFindings
from latentmech.model import Level, Model
from latentmech.report import Table


def tables(found: CompareFindings, model: Model) -> dict[str, Table]:
    """All of them: one of the models, if there are several, and those of each."""
    shown = {"models": model_table(found)} if found.several else {}
    for other in found.others:
        own = f"_{other.name}" if found.several else ""
        made = {"levels": (_level_table, other.alike), "drift": (_drift_table, other.drifts)}
        made |= {"probes": (_probe_table, other.probed), "effect": (_effect_table, other.effects)}
        shown |= {f"{what}{own}": make(found, other, model) for what, (make, there) in made.items() if there}
    return shown


def model_table(found: CompareFindings) -> Table:
    """Means over levels; of the effect over those where it is clear, for there is no share elsewhere."""
    rows = []
    for other in found.every:
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


def _level_table(found: CompareFindings, other: Against, model: Model) -> Table:
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


def _drift_table(found: CompareFindings, other: Against, model: Model) -> Table:
    columns = {"cosine": "cosine", "source": f"in {model.name}", "frozen": "frozen", "refitted": "refitted"}
    columns |= {"loss": "refitted − frozen", "random_p95": "random p95", "isotropic_p95": "isotropic p95"}
    frame = _by_level(other.drifts, columns, ["loss"])
    if found.twin:
        frame.insert(2, "cosine twin", [found.twin.drifts[level].cosine for level in other.drifts])
    n = next(iter(other.drifts.values())).loss.groups
    caption = (
        f"Difference of means of the {found.settings.called} training texts at their last token; AUROC on test. "
        f"Frozen: {model.name}'s direction on {other.name}'s states; refitted: found in {other.name}. Random: 95th "
        "percentile of directions drawn from the covariance of the training states there, whichever sign; isotropic: "
        f"drawn evenly from the sphere. The interval of the difference is over {n} groups of test texts."
    )
    title = f"The {found.settings.called} direction from {model.name} to {other.name}"
    return Table(title=title, frame=frame, caption=caption)


def _probe_table(found: CompareFindings, other: Against, model: Model) -> Table:
    columns = {"source": f"in {model.name}", "frozen": "frozen", "refitted": "refitted", "loss": "refitted − frozen"}
    frame = _by_level(other.probed, columns | {"majority": "majority"}, ["loss"])
    if found.twin:
        frame.insert(3, "frozen in the twin", [found.twin.probed[level].frozen.value for level in other.probed])
    loss = next(iter(other.probed.values())).loss
    caption = (
        f"Test accuracy of ridge probes for {found.settings.probe} on {loss.n} words of {loss.groups} held-out "
        f"documents. Frozen: {model.name}'s probe, weights and bias untouched, on {other.name}'s states; in the twin: "
        f"on those of random weights. Refitted: trained on {other.name}'s. At the embedding a probe knows the token "
        "and no more."
    )
    return Table(title=f"{found.settings.probe} probes from {model.name} to {other.name}", frame=frame, caption=caption)


def _effect_table(found: CompareFindings, other: Against, model: Model) -> Table:
    columns = {"source": f"in {model.name}", "frozen": "frozen", "refitted": "refitted", "dev": "on dev"}
    columns |= {"random_max": "random, largest", "isotropic_max": "isotropic, largest"}
    columns |= {"kept": "kept", "kept_turned": "kept at one length", "length": "length ratio"}
    frame = _by_level(other.effects, columns, ["frozen", "refitted", "kept", "kept_turned"])
    n = next(iter(other.effects.values())).source
    caption = (
        f"Mean change of the log-odds in nats when the {found.settings.called} direction is added to every token, with "
        f"95 % intervals over {n.n} prompts in {n.groups} groups. Frozen: {model.name}'s direction at its own length, "
        f"in {other.name}; refitted: {other.name}'s own; on dev: the same on other prompts, which choose the "
        f"headline's block. Random: the largest of {found.settings.random} vectors of the refitted one's length, "
        "either way, drawn from the covariance of the states; isotropic: drawn evenly from the sphere. Kept: frozen "
        "over refitted, where the refitted effect is shown to be larger than that of every random vector; at one "
        "length: the frozen one stretched to the refitted one's. Length ratio: frozen over refitted."
    )
    return Table(title=f"What is left of its effect in {other.name}", frame=frame, caption=caption)


def _by_level(by_level: Mapping[Level, object], columns: Mapping[str, str], ends: Sequence[str]) -> pd.DataFrame:
    """One row per level with some attributes under their titles; those in `ends` with their intervals."""
    rows = []
    for level, found in by_level.items():
        row: dict[str, object] = {"layer": level.tick}
        for name, title in columns.items():
            value = getattr(found, name)
            row |= value.cells(title) if name in ends else {title: getattr(value, "value", value)}
        rows.append(row)
    return pd.DataFrame(rows)
