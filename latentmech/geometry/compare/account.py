"""What a comparison says: numbers, pictures, sentences; its tables stand in `tables`."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from latentmech.geometry.compare.findings import TITLES, Against, CompareFindings
from latentmech.geometry.compare.tables import tables
from latentmech.model import Level, Model
from latentmech.report import Ledger, Method, Picture, Report, account, band, heat_map, layer_curve, values


def account_of(study: object, found: CompareFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "compare", "site": "resid_post"})
    for other in [*found.others, *([found.twin] if found.twin else [])]:
        numbers(found, other, ledger)
    return account(
        study, model, ledger,
        title=f"{model.name} against {', '.join(other.name for other in found.others)}",
        headline=course(found, model) if found.several else headline(found, model),
        tables=tables(found, model),
        pictures=dict(pictures(found, model)),
        data=found.examples,
        groups="groups (documents or topics)",
        notes=notes(found, model),
        methods=methods(found, model),
    )  # fmt: skip


def numbers(found: CompareFindings, other: Against, ledger: Ledger) -> None:
    """Write one comparison down."""
    below, control = found.below(other), "random_init" if other is found.twin else None
    for level, flat, metric, null, value in other.numbers():
        place = {"layer": level.layer, "control": null or control, "split": other.name}
        ledger.add(f"{below}/{level.label}/{flat}", value, metric, **place)
    for name in TITLES:
        ledger.add(f"{below}/{name}", other.mean(name), f"mean_{name}", control=control)


def headline(found: CompareFindings, model: Model) -> str:
    """Where the two differ most, and what the direction lost."""
    (other,), twin = found.others, found.twin
    least = min(other.alike, key=lambda level: other.alike[level].own["cka"].value)
    rest = f" (with its random-init twin {twin.mean('cka'):.3f} and {twin.mean('knn'):.3f})" if twin else ""
    text = (
        f"{model.name} and {other.name} have a mean CKA of {other.mean('cka'):.3f} and share {other.mean('knn'):.3f} "
        f"of their neighbours{rest}; they are least alike at {least.place}, with "
        f"{other.alike[least].own['cka']:.3f}."
    )
    said = [text, *_reading(found, other)]
    if other.probed:
        frozen, refitted = other.probe_mean("frozen"), other.probe_mean("refitted")
        said.append(
            f"Probes for {found.probe} are right for {frozen:.3f} of the words frozen, {refitted:.3f} refitted."
        )
    return " ".join([*said, *_moving(found, other)])


def _reading(found: CompareFindings, other: Against) -> Iterator[str]:
    """What a frozen direction reads."""
    if other.drifts:
        level, worst = max(other.drifts.items(), key=lambda pair: pair[1].loss.value)
        mean = float(np.mean([drift.loss.value for drift in other.drifts.values()]))
        yield (
            f"The {found.called} direction has a mean cosine of {other.cosine:.3f} between the two; used frozen "
            f"instead of refitted it loses {mean:.3f} AUROC in the mean; of {len(other.drifts)} levels it loses most "
            f"at {level.place}, {worst.loss:.3f}, with {worst.frozen.value:.3f} against {worst.refitted.value:.3f}."
        )


def _moving(found: CompareFindings, other: Against) -> Iterator[str]:
    """What a frozen direction still brings about, at the block that other prompts choose."""
    if not other.effects:
        return
    (level, best), clear = other.chosen, f"{len(other.clear)} of {len(other.effects)} blocks"
    yield (
        f"Added at {level.place}, where it does most on other prompts, {other.name}'s own {found.called} direction "
        f"moves the log-odds by {best.refitted:+.2f} nats; random vectors reach {best.random_max:.2f} there, and "
        f"{max(effect.random_max for effect in other.effects.values()):.2f} at their best block."
    )
    if best.clear:
        kept = f"Of this the frozen one keeps {best.kept:.2f}, and {best.kept_turned:.2f} at the other's length"
        yield f"{kept}; it is shown to do more than random vectors at {clear}."
    else:
        unclear = "That is not shown to be more than random vectors do, so no share of it can be given"
        yield f"{unclear}; it is shown at {clear}."


def course(found: CompareFindings, model: Model) -> str:
    """Several models in one sentence, in the order in which they were given."""
    shown = ", ".join(f"{other.name} {other.mean('cka'):.3f}" for other in found.others)
    rest = f"; with its random-init twin {found.twin.mean('cka'):.3f}" if found.twin else ""
    text = f"Mean CKA over the levels of {model.name}: {shown}{rest}."
    cosines = ", ".join(f"{other.name} {other.cosine:.3f}" for other in found.others if other.drifts)
    return f"{text} Mean cosine of the {found.called} direction: {cosines}." if cosines else text


def notes(found: CompareFindings, model: Model) -> Iterator[str]:
    """What decides how the numbers may be read."""
    yield from found.warnings
    if found.words.apart:
        yield (
            f"{found.words.apart} words of the texts were left out: a model has them in one token with something else."
        )
    if found.direction is not None:
        yield f"The first model's direction is {found.direction}; whether its own texts are in test is not known."
    if not found.several and found.others[0].drifts:
        yield "The level where a frozen direction loses most is picked by the test texts themselves: partly luck."
    for other in found.others:
        yield from _about(other, model)


def _about(other: Against, model: Model) -> Iterator[str]:
    if other.same:
        yield f"{model.name} and {other.name} have the same weights, tokenizer and settings."
    if len(other.other_levels) != len(other.alike):
        yield f"{other.name} has another number of blocks: levels are matched by their share of the depth."
    if not other.drifts:
        yield f"No direction is compared with {other.name}: the width differs, or it was switched off."
    unclear = len(other.effects) - len(other.clear)
    if other.effects and not other.chosen[1].refitted.kind:
        yield "The prompts are one group, so effects have no interval and no share is given."
    elif unclear:
        yield (
            f"In {other.name} no share of the effect is given at {unclear} of {len(other.effects)} blocks: there the "
            "refitted direction is not shown to do more than random vectors."
        )


def methods(found: CompareFindings, model: Model) -> Iterator[Method]:
    """What was done, for an appendix."""
    shuffles, halves, random = (found.counts[name] for name in ("shuffles", "halves", "random"))
    yield Method(
        f"The states of {len(found.words.rows):,} words (each form once, first words of texts left out) were compared "
        "level by level: debiased linear CKA, common nearest neighbours by centred cosine, orthogonal Procrustes, and "
        f"overlap of principal subspaces; chance is {shuffles} shuffles of one model's words, or random subspaces.",
        ("kornblith2019", "nguyen2021", "huh2024", "schonemann1966", "bjorck1973"),
    )
    yield Method(
        f"Intervals of CKA, Procrustes and subspaces are from {halves} half-samples of documents (delete-half "
        "jackknife); where halves differ from the whole for their size none is given.",
        ("shao1989",),
    )
    if any(other.drifts for other in found.others):
        yield Method(
            f"The {found.called} direction is the difference of class means of the training texts at their last token; "
            f"{model.name}'s was read out in the other model as it is (frozen), beside the other's own (refitted), by "
            "AUROC on test texts, paired."
        )
    if any(other.probed for other in found.others):
        yield Method(f"Ridge probes for {found.probe}, strengths chosen on dev documents, were read out likewise.")
    if any(other.effects for other in found.others):
        yield Method(
            "Both directions were added to every token. An effect counts as clear if it exceeds that of each of "
            f"{random} vectors of its length drawn from the covariance of the states and of {random} drawn evenly, all "
            "by paired 95 % intervals over groups of prompts. The block that is quoted was chosen on other prompts.",
            ("turner2023", "berger1982"),
        )


def pictures(found: CompareFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """All of them; what is drawn for one model is drawn for the last that was given."""
    other, name = found.others[-1], model.name
    ticks = _ticks(other.alike)
    yield "levels", _similarities(found, other, ticks, name)
    yield "matrix", Picture(
        title="All pairs of levels",
        figure=heat_map(
            other.cka.flip(0).numpy(), ticks[::-1], _ticks(other.other_levels),
            title="CKA of every level with every other", xlabel=f"level of {other.name}", ylabel=f"level of {name}",
            bar="debiased linear CKA",
        ),
        caption=f"Debiased CKA of each level of {name} (rows) with each level of {other.name} (columns).",
    )  # fmt: skip
    if found.several:
        yield "models", _models(found, name)
        yield "course", _course(found, ticks, name)
    if other.drifts:
        yield "drift", _drift(found, other, name)
    if other.probed:
        yield "probes", _probe(found, other, name)
    if other.effects:
        yield "effect", _effect(found, other, name)


def _similarities(found: CompareFindings, other: Against, ticks: Sequence[str], name: str) -> Picture:
    series = {title: values(other.of(measure)) for measure, title in TITLES.items() if other.of(measure)}
    series |= {"CKA, random init": values(found.twin.of("cka"))} if found.twin else {}
    bands = {"Procrustes, shuffled": band(alike.chance["procrustes"] for alike in other.alike.values())}
    figure = layer_curve(ticks, series, bands, None, "similarity", f"{name} against {other.name}", best="")
    caption = (
        "Similarity of the two models' states of the same words at every level; 1 means equal up to what each allows."
    )
    return Picture(title="Level by level", figure=figure, caption=caption)


def _models(found: CompareFindings, name: str) -> Picture:
    """One point a model, in the order in which they were given: a course of training, if they are checkpoints."""
    series = {title: [other.mean(measure) for other in found.others] for measure, title in TITLES.items()}
    if all(other.drifts for other in found.others):
        series["direction's cosine"] = [other.cosine for other in found.others]
    twin = found.twin
    lines = {f"{title}, random init": twin.mean(measure) for measure, title in TITLES.items()} if twin else None
    title = f"{name} against each, mean over levels"
    figure = layer_curve(_names(found.others), series, None, lines, "similarity", title, xlabel="model", best="")
    return Picture(title="Model by model", figure=figure, caption="Means over levels of every measure, model by model.")


def _course(found: CompareFindings, ticks: Sequence[str], name: str) -> Picture:
    """Which levels come to be like the model's own first; the last level stands on top."""
    figure = heat_map(
        np.array([values(other.of("cka")) for other in found.others]).T[::-1], ticks[::-1], _names(found.others),
        title=f"CKA with {name}", xlabel="model", ylabel="level", bar="debiased linear CKA",
    )  # fmt: skip
    caption = f"Debiased CKA of every level (rows) of {name} with its counterpart in each model (columns)."
    return Picture(title="Level by level, model by model", figure=figure, caption=caption)


def _drift(found: CompareFindings, other: Against, name: str) -> Picture:
    drifts = list(other.drifts.values())
    series = {"cosine": [drift.cosine for drift in drifts]}
    series |= {f"AUROC, {which}": values(getattr(drift, which) for drift in drifts) for which in ("frozen", "refitted")}
    series |= {f"AUROC in {name}": values(drift.source for drift in drifts)}
    series |= {"AUROC, random p95": [drift.random_p95 for drift in drifts]}
    title = f"The {found.called} direction from {name} to {other.name}"
    figure = layer_curve(_ticks(other.drifts), series, None, None, "", title, best="")
    caption = "Cosine of the direction found in both models, and what the first model's direction reads in the second."
    return Picture(title="Drift of a direction", figure=figure, caption=caption)


def _probe(found: CompareFindings, other: Against, name: str) -> Picture:
    read = list(other.probed.values())
    series = {which: values(getattr(probed, which) for probed in read) for which in ("frozen", "refitted")}
    series |= {f"in {name}": values(probed.source for probed in read)}
    if found.twin and found.twin.probed:
        series |= {"frozen, random init": values(probed.frozen for probed in found.twin.probed.values())}
    title, base = f"{found.probe} probes of {name} in {other.name}", {"majority": read[0].majority}
    figure = layer_curve(_ticks(other.probed), series, None, base, "test accuracy", title, best="")
    caption = f"Accuracy of {name}'s probes on {other.name}'s states (frozen), and of {other.name}'s own."
    return Picture(title="Probes, frozen and refitted", figure=figure, caption=caption)


def _effect(found: CompareFindings, other: Against, name: str) -> Picture:
    effects = list(other.effects.values())
    names = {"frozen": "frozen", "refitted": "refitted", "turned": "frozen, at one length"}
    both = {title: [getattr(effect, which) for effect in effects] for which, title in names.items()}
    series = {title: values(own) for title, own in both.items()}
    series |= {f"in {name}": values(effect.source for effect in effects)}
    largest = np.array([effect.random_max for effect in effects])
    bands = {title: band(own) for title, own in both.items()} | {"random vectors": (list(-largest), list(largest))}
    title = f"Adding the {found.called} direction to {other.name}"
    figure = layer_curve(_ticks(other.effects), series, bands, None, "change of log-odds, nats", title, best="")
    caption = (
        f"Mean change of the log-odds when a direction is added: that of {name} in {other.name} (frozen; also at the "
        f"refitted one's length), {other.name}'s own (refitted), and {name}'s in itself, with 95 % intervals over "
        "prompts."
    )
    return Picture(title="Effect of a direction", figure=figure, caption=caption)


def _ticks(levels: Iterable[Level]) -> list[str]:
    return [level.tick for level in levels]


def _names(others: Sequence[Against]) -> list[str]:
    """What tells the models apart: `step_0010` and `step_0100` are 0010 and 0100."""
    names = [other.name for other in others]
    heads = {name.rpartition("_")[0] for name in names}
    return names if len(heads) > 1 else [name.rpartition("_")[2] for name in names]
