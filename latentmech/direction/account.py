"""What a direction study says: numbers, pictures, sentences."""

from collections.abc import Iterator

import numpy as np

from latentmech.data import said_of_copies
from latentmech.direction.findings import EMBEDDING, NAMES, NULLS, SAID, DirectionFindings
from latentmech.direction.tables import tables
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Method, Picture, Report, account, by_depth, heat_map, layer_curve
from latentmech.statistics import Estimate, beats, verdict

ALPHA = 0.05
FEW_TEXTS = 20  # of both kinds in train
ROUNDING = 1e-6  # of the largest score: what differs by less does not differ


def account_of(study: object, found: DirectionFindings, model: Model) -> Report:
    """Everything a reader gets."""
    name, asked = found.settings.called, found.settings
    ledger = Ledger({"study": "direction", "task": name, "site": asked.site, "method": asked.method})
    numbers(found, ledger)
    pictures = {"layer_curve": layer_picture(found, model), "grid": grid_picture(found, model)}
    pictures |= {f"selection_{i}": picture for i, picture in enumerate(found.choice.pictures)}
    return account(
        study, model, ledger,
        title=f"{name} direction in {model.name}",
        headline=headline(found, model),
        tables=tables(found),
        pictures=pictures,
        curves=curves(found),
        notes=notes(found, model),
        methods=methods(found),
        artifacts={f"directions/{name}.safetensors": found.direction.packed()},
        exports=found.exports,
        provenance={"data": found.direction.card["data"]},
    )  # fmt: skip


def numbers(found: DirectionFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    best, at, stable, own = found.best, {"layer": found.best.level.label}, found.stability, found.left_out

    def add(name: str, value: Estimate | float | int, metric: str = "auroc", **columns: object) -> None:
        ledger.add(f"direction/{name}", value, metric, **columns)

    add("layer", -1 if best.level.layer is None else best.level.layer, "layer")
    add("dev/auroc", best.dev, split="dev", **at)
    for c in found.candidates:
        name, dev = c.name if len(found.positions) > 1 else c.level.label, {"split": "dev", "layer": c.level.label}
        add(f"{name}/dev/auroc", c.dev, **dev)
        for null, high in c.high_dev.items():
            add(f"{name}/dev/{null}_p95", high, control=f"{null}_p95", **dev)
    add("auroc", own.auroc, split="left_out")
    for name, lead in own.leads.items():
        add(f"{name}/auroc", own.rivals[name], control=name, split="left_out")
        add(f"{name}/lead", lead.difference, "auroc_difference", control=name, split="left_out")
    for name, drawn in own.nulls.items():
        for which, value in (("p95", drawn.high), ("max", float(drawn.values.max()))):
            add(f"null/{name}_{which}", value, control=f"{name}_{which}", split="left_out")
        add(f"null/{name}_p", Estimate(drawn.p, n=len(drawn.values)), "p", control=name, split="left_out")
    for reader, (raw, matched) in found.audit.readers.items():
        path, control = ("", None) if reader == "direction" else (f"{reader}/", reader)
        add(f"{path}test/auroc", raw, split="test", control=control, **at)
        add(f"{path}matched/auroc", matched, split="matched", control=control, **at)
    if stable.cosine.n:
        add("split_half_cosine", stable.cosine, "cosine", split="train", **at)
        add("texts_for_cosine_0.9", stable.texts_needed, "texts", split="train", **at)
    for name, (cosine, _) in found.relatives.items():
        add(f"cosine/{name}", cosine, "cosine", control=name, **at)
    for data in found.transfers:
        columns = {"control": data.name, "split": "transfer", **at}
        add(f"transfer/{data.name}/auroc", data.auroc, **columns)
        add(f"transfer/{data.name}/bag_of_words/auroc", data.bag_of_words, **columns)
        for name, n in (("exact", data.exact), ("near", data.near)):
            add(f"transfer/{data.name}/{name}_duplicates", n, "texts", **columns)
    if shown := found.shown:
        name = shown.name.replace(" ", "_")
        for kind, rate in (("positive", shown.positive), ("negative", shown.negative)):
            add(f"{name}/{kind}", Estimate(rate, n=shown.n), name, split="test")


def curves(found: DirectionFindings) -> tuple[Curve, ...]:
    """Dev AUROC against depth, with what random directions reach."""
    at = found.at_position()
    drawn = {"direction/dev/auroc": [c.dev for c in at]}
    drawn |= {f"direction/dev/{name}_p95": [c.high_dev[name] for c in at] for name in at[0].random_dev}
    return by_depth("direction/depth", [c.level for c in at], drawn)


def layer_picture(found: DirectionFindings, model: Model) -> Picture:
    """Dev AUROC at every level, beside random directions."""
    at, bands = found.at_position(), {}
    for name in at[0].random_dev:
        low, high = np.stack([np.percentile(c.random_dev[name], [5, 95]) for c in at]).T.tolist()
        bands[f"{NULLS[name]}, 5–95 %"] = (low, high)
    words = found.left_out.rivals.get("bag_of_words")
    figure = layer_curve(
        [c.level.tick for c in at], {"direction": [c.dev for c in at]}, bands,
        {} if words is None else {"bag of words (left out)": words.value},
        "dev AUROC", f"{found.settings.called} in {model.name}", best=found.best.level.tick,
    )  # fmt: skip
    caption = "Dev AUROC of the direction at every level, and what random directions reach with their better sign."
    return Picture(title="Layer curve", figure=figure, caption=caption)


def grid_picture(found: DirectionFindings, model: Model) -> Picture:
    """Dev AUROC at every level and position."""
    levels = list(dict.fromkeys(c.level.tick for c in found.candidates))
    figure = heat_map(
        np.array([c.dev for c in found.candidates]).reshape(len(levels), -1).T, found.positions, levels,
        title=f"Dev AUROC of the {found.settings.called} direction in {model.name}",
        xlabel="level of the residual stream", ylabel="position", bar="AUROC",
        marks=[(found.positions.index(found.best.position), levels.index(found.best.level.tick))],
    )  # fmt: skip
    return Picture(title="Every layer and position", figure=figure, caption="Dev AUROC; the chosen place is framed.")


def headline(found: DirectionFindings, model: Model) -> str:
    """How well it separates texts of groups that it has not seen, what it beats, and whether the model behaves so."""
    own, best = found.left_out.auroc, found.best
    said = f"At block {best.level.layer} of {model.name} ({best.position}) the {found.settings.called} direction"
    if found.plan.kept is not None:
        n, test = found.sizes["test"], found.audit.test
        return f"{said} separates {n} test texts with AUROC {test:.3f}. {_behaviour(found, model)}".strip()
    if not found.plan.folds:
        return f"{said} cannot be judged: no group can be left out."
    said += f" separates texts of groups that it has not seen with AUROC {own:.3f}, over {own.groups} groups."
    return f"{said} It {_against(found)}. {_behaviour(found, model)}".strip()


def _against(found: DirectionFindings) -> str:
    """Every rival and every null, by one rule each."""
    ahead, nulls = [*found.left_out.leads.values()], found.left_out.nulls
    said = {name: f"{NULLS[name]} (95th percentile {null.high:.3f}, p = {null.p:.2g})" for name, null in nulls.items()}
    if unbeaten := [said[name] for name, null in nulls.items() if null.p > ALPHA]:
        return f"{verdict(ahead)}{', but is not shown to beat ' if beats(ahead) else '; '}{'; '.join(unbeaten)}"
    if not nulls:
        return verdict(ahead)
    p = max(null.p for null in nulls.values())
    return f"{verdict(ahead)}{', and ' if beats(ahead) else '; it does beat '}null directions (p = {p:.2g})"


def _behaviour(found: DirectionFindings, model: Model) -> str:
    """Whether the model does what the direction is named after."""
    if (shown := found.shown) is None:
        return ""
    rates = f"{shown.name}: {shown.positive:.0%} of positive and {shown.negative:.0%} of negative test texts"
    if shown.positive - shown.negative >= 0.5:
        return f"{model.name} shows the behaviour itself ({rates})."
    return f"{model.name} does not show the behaviour itself ({rates}), so this is a direction of how the texts look."


def notes(found: DirectionFindings, model: Model) -> Iterator[str]:
    """What a reader must know before believing the direction."""
    yield from (*found.contrast.notes, *found.choice.notes)
    if found.copies.exact.any() or found.copies.near.any():
        yield said_of_copies(found.copies, found.contrast.joint, "group")
    yield from _confounds(found)
    if found.plan.kept is not None:
        yield SAID
    elif not found.plan.folds:
        yield "Without one of the groups there is only one kind of text, so no group can be left out."
    elif found.settings.selection is not None:
        yield f"The place was chosen once, by {found.choice.how}, and not again with each group left out."
    for name, null in found.left_out.nulls.items():
        if 1 / (1 + len(null.values)) > ALPHA:
            yield f"{len(null.values)} {NULLS[name]} cannot be beaten at p = {ALPHA:g}; that takes at least 19."
    if np.ptp(found.audit.scores) <= ROUNDING * np.abs(found.audit.scores).max():
        yield "All test texts have the same score: the direction tells none of them apart."
    if found.audit.test.groups == 1:
        yield "Test is a single group: its AUROC has no interval."
    if found.settings.halvings and not found.stability.cosine.n:
        yield (
            "Train cannot be halved into groups with both kinds of text in each half: whether other texts would give "
            "the same direction is not known."
        )
    if (texts := found.sizes["train"]) < FEW_TEXTS:
        yield f"Few texts: the direction is found from {texts} training texts of both kinds together."
    yield from _transfer_notes(found)
    if found.shown is not None and found.shown.positive - found.shown.negative < 0.5:
        yield _behaviour(found, model)


def _confounds(found: DirectionFindings) -> Iterator[str]:
    """Rivals that are not beaten and gain at least half as much, with what that means; and whether matching helps."""
    gain = found.left_out.auroc.value - 0.5
    for name, lead in found.left_out.leads.items():
        if not lead.clear and lead.value - 0.5 >= gain / 2:
            kind, what = ("No context needed", "single tokens") if name == EMBEDDING else ("Confound", "that")
            seen = f"{NAMES[name]} alone reaches AUROC {found.left_out.rivals[name]:.3f}"
            yield f"{kind}: {seen}, which the direction is not shown to beat; it may be a direction of {what}."
    if not found.audit.n_matched:
        yield (
            "Nothing matches: no positive test text has a negative one with as many words and the same last character, "
            "so what the direction reads beyond length and punctuation cannot be told."
        )


def _transfer_notes(found: DirectionFindings) -> Iterator[str]:
    for data in found.transfers:
        if data.one_kind:
            yield (
                f"{data.name} has texts of one kind; they are set against the study's own negative test texts, and "
                "whatever else differs between the two sources counts as transfer."
            )
        if not data.lead.clear:
            words = f"a {NAMES['bag_of_words']} from the direction's own training texts ({data.bag_of_words:.3f})"
            yield f"In {data.name} the direction ({data.auroc:.3f}) is not shown to beat {words}."


def methods(found: DirectionFindings) -> Iterator[Method]:
    """How it was found and tested, for a paper's appendix."""
    own, (summary, cites), folds = found.left_out, found.method, len(found.plan.folds)
    yield Method(f"Method {found.settings.method}. {summary}", cites)
    yield Method(
        f"A vector was found in {found.sizes['train']} training texts at {len(found.candidates)} places (levels, "
        f"positions); one was chosen by {found.choice.how}. The saved direction was read on test once, there."
    )
    if folds:
        anew = found.settings.selection is None
        again = "chosen by the same rule on the rest of train and dev" if anew else "the chosen one throughout"
        yield Method(
            f"All texts were scored with their own group left out ({folds} folds over {own.auroc.groups} groups): the "
            f"place {again}, the vector refitted there on all texts outside the fold, the score standardised by these.",
            ("stone1974",),
        )
        rivals = ", ".join(NAMES[name] for name in own.rivals)
        yield Method(
            f"Rivals ({rivals}) left out the same folds. The direction beats them if the interval of its paired lead "
            "over each of them lies above 0, so that no correction for their number is needed.", ("berger1982",),
        )  # fmt: skip
    if own.nulls:
        counts = "; ".join(f"{len(null.values)} {NULLS[name]}" for name, null in own.nulls.items())
        yield Method(
            f"Null directions ({counts}) chose their place on dev as the direction did. Labels were exchanged as they "
            "were given (in pairs, by group or by text) in train, dev and test together, and all was done again; p is "
            "one plus the number that reach the AUROC seen, over one plus all.", ("phipson2010",),
        )  # fmt: skip
    if halvings := found.stability.cosine.n:
        yield Method(
            f"Training groups were halved at random {halvings} times; what larger samples would give follows from the "
            "mean cosine as reliability does from the length of a test.", ("spearman1910",),
        )  # fmt: skip
