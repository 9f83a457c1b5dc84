"""What a comparison says: numbers, pictures, sentences; its tables stand in `tables`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from latentmech.geometry.compare.findings import TITLES, Against, CompareFindings
from latentmech.geometry.compare.tables import tables
from latentmech.geometry.drawn import grid_picture, line_picture
from latentmech.model import Level, Model
from latentmech.report import Ledger, Method, Picture, Report, account, band, values


def account_of(study: object, found: CompareFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "compare", "site": "resid_post"})
    for other in found.every:
        below, control = found.below(other), "random_init" if other is found.twin else None
        for level, flat, metric, null, value in other.numbers():
            place = {"layer": level.layer, "control": null or control, "split": other.name}
            ledger.add(f"{below}/{level.label}/{flat}", value, metric, **place)
        for name in TITLES:
            ledger.add(f"{below}/{name}", other.mean(name), f"mean_{name}", control=control)
    return account(
        study, model, ledger,
        title=f"{model.name} against {', '.join(other.name for other in found.others)}",
        headline=course(found, model) if found.several else headline(found, model),
        tables=tables(found, model),
        pictures=dict(pictures(found, model)),
        data=found.examples,
        groups="groups (documents or topics)",
        notes=notes(found, model),
        methods=_methods(found, model),
    )  # fmt: skip


def headline(found: CompareFindings, model: Model) -> str:
    """Where the two differ most, and what the direction lost."""
    (other,), twin = found.others, found.twin
    least = min(other.alike, key=lambda level: other.alike[level].own["cka"].value)
    rest = f" (with its random-init twin {twin.mean('cka'):.3f} and {twin.mean('knn'):.3f})" if twin else ""
    text = (
        f"{model.name} and {other.name} have a mean CKA of {other.mean('cka'):.3f} and share {other.mean('knn'):.3f} "
        f"of their neighbours{rest}; they are least alike at {least.place}, with {other.alike[least].own['cka']:.3f}."
    )
    said = [text, *_reading(found, other)]
    if other.probed:
        frozen, refitted = other.probe_mean("frozen"), other.probe_mean("refitted")
        right = f"are right for {frozen:.3f} of the words frozen, {refitted:.3f} refitted."
        said.append(f"Probes for {found.settings.probe} {right}")
    return " ".join([*said, *_moving(found, other)])


def _reading(found: CompareFindings, other: Against) -> Iterator[str]:
    if other.drifts:
        level, worst = max(other.drifts.items(), key=lambda pair: pair[1].loss.value)
        mean = float(np.mean([drift.loss.value for drift in other.drifts.values()]))
        yield (
            f"The {found.settings.called} direction has a mean cosine of {other.cosine:.3f} between the two; used "
            f"frozen instead of refitted it loses {mean:.3f} AUROC in the mean; of {len(other.drifts)} levels it loses "
            f"most at {level.place}, {worst.loss:.3f}, with {worst.frozen.value:.3f} against "
            f"{worst.refitted.value:.3f}."
        )


def _moving(found: CompareFindings, other: Against) -> Iterator[str]:
    """What a frozen direction still brings about, at the block that other prompts choose."""
    if not other.effects:
        return
    (level, best), clear = other.chosen, f"{len(other.clear)} of {len(other.effects)} blocks"
    yield (
        f"Added at {level.place}, where it does most on other prompts, {other.name}'s own {found.settings.called} "
        f"direction moves the log-odds by {best.refitted:+.2f} nats; random vectors reach {best.random_max:.2f} there, "
        f"and {max(effect.random_max for effect in other.effects.values()):.2f} at their best block."
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
    return f"{text} Mean cosine of the {found.settings.called} direction: {cosines}." if cosines else text


def notes(found: CompareFindings, model: Model) -> Iterator[str]:
    """What decides how the numbers may be read."""
    yield from found.warnings
    if apart := found.words.apart:
        yield f"{apart} words of the texts were left out: a model has them in one token with something else."
    if (saved := found.settings.direction) is not None:
        yield f"The first model's direction is {saved}; whether its own texts are in test is not known."
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


def _methods(found: CompareFindings, model: Model) -> Iterator[Method]:
    asked = found.settings
    yield Method(
        f"The states of {len(found.words.rows):,} words (each form once, first words of texts left out) were compared "
        "level by level: debiased linear CKA, common nearest neighbours by centred cosine, orthogonal Procrustes, and "
        f"overlap of principal subspaces; chance is {asked.shuffles} shuffles of one model's words, or random "
        "subspaces.",
        ("kornblith2019", "nguyen2021", "huh2024", "schonemann1966", "bjorck1973"),
    )
    yield Method(
        f"Intervals of CKA, Procrustes and subspaces are from {asked.halves} half-samples of documents (delete-half "
        "jackknife); where halves differ from the whole for their size none is given.",
        ("shao1989",),
    )
    if any(other.drifts for other in found.others):
        yield Method(
            f"The {found.settings.called} direction is the difference of class means of the training texts at their "
            f"last token; {model.name}'s was read out in the other model as it is (frozen), beside the other's own "
            "(refitted), by AUROC on test texts, paired."
        )
    if any(other.probed for other in found.others):
        yield Method(f"Ridge probes for {asked.probe}, strengths chosen on dev documents, were read out likewise.")
    if any(other.effects for other in found.others):
        yield Method(
            "Both directions were added to every token. An effect counts as clear if it exceeds that of each of "
            f"{asked.random} vectors of its length drawn from the covariance of the states and of {asked.random} drawn "
            "evenly, all by paired 95 % intervals over groups of prompts. The block that is quoted was chosen on other "
            "prompts.",
            ("turner2023", "berger1982"),
        )


def pictures(found: CompareFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """All of them; what is drawn for one model is drawn for the last that was given."""
    other, name, twin = found.others[-1], model.name, found.twin
    ticks = _ticks(other.alike)
    alike = {title: other.of(measure) for measure, title in TITLES.items() if other.of(measure)}
    yield "levels", line_picture(
        "Level by level", ticks, alike | ({"CKA, random init": twin.of("cka")} if twin else {}),
        "Similarity of the two models' states of the same words at every level; 1 means equal up to what each allows.",
        bands={"Procrustes, shuffled": band(one.chance["procrustes"] for one in other.alike.values())},
        ylabel="similarity", title=f"{name} against {other.name}",
    )  # fmt: skip
    yield "matrix", grid_picture(
        "All pairs of levels",
        f"Debiased CKA of each level of {name} (rows) with each level of {other.name} (columns).",
        other.cka.flip(0).numpy(), ticks[::-1], _ticks(other.other_levels), bar="debiased linear CKA",
        title="CKA of every level with every other", xlabel=f"level of {other.name}", ylabel=f"level of {name}",
    )  # fmt: skip
    if found.several:
        yield from _of_several(found, ticks, name)
    drawn = {"drift": (_drift, other.drifts), "probes": (_probe, other.probed), "effect": (_effect, other.effects)}
    yield from ((what, draw(found, other, name)) for what, (draw, there) in drawn.items() if there)


def _of_several(found: CompareFindings, ticks: Sequence[str], name: str) -> Iterator[tuple[str, Picture]]:
    """Model by model, in the order in which they were given: a course of training, if they are checkpoints."""
    means = {title: [other.mean(measure) for other in found.others] for measure, title in TITLES.items()}
    if all(other.drifts for other in found.others):
        means["direction's cosine"] = [other.cosine for other in found.others]
    twin, names = found.twin, _names(found.others)
    yield "models", line_picture(
        "Model by model", names, means, "Means over levels of every measure, model by model.",
        reference_lines={f"{t}, random init": twin.mean(measure) for measure, t in TITLES.items()} if twin else None,
        ylabel="similarity", title=f"{name} against each, mean over levels", xlabel="model",
    )  # fmt: skip
    yield "course", grid_picture(
        "Level by level, model by model",
        f"Debiased CKA of every level (rows) of {name} with its counterpart in each model (columns).",
        np.array([values(other.of("cka")) for other in found.others]).T[::-1], ticks[::-1], names,
        title=f"CKA with {name}", xlabel="model", ylabel="level", bar="debiased linear CKA",
    )  # fmt: skip


def _drift(found: CompareFindings, other: Against, name: str) -> Picture:
    lines = {"cosine": "cosine", "AUROC, frozen": "frozen", "AUROC, refitted": "refitted"}
    lines |= {f"AUROC in {name}": "source", "AUROC, random p95": "random_p95"}
    return line_picture(
        "Drift of a direction", _ticks(other.drifts), _lines(other.drifts, lines),
        "Cosine of the direction found in both models, and what the first model's direction reads in the second.",
        title=f"The {found.settings.called} direction from {name} to {other.name}",
    )  # fmt: skip


def _probe(found: CompareFindings, other: Against, name: str) -> Picture:
    lines = _lines(other.probed, {"frozen": "frozen", "refitted": "refitted", f"in {name}": "source"})
    if found.twin and found.twin.probed:
        lines |= _lines(found.twin.probed, {"frozen, random init": "frozen"})
    return line_picture(
        "Probes, frozen and refitted", _ticks(other.probed), lines,
        f"Accuracy of {name}'s probes on {other.name}'s states (frozen), and of {other.name}'s own.",
        reference_lines={"majority": next(iter(other.probed.values())).majority}, ylabel="test accuracy",
        title=f"{found.settings.probe} probes of {name} in {other.name}",
    )  # fmt: skip


def _effect(found: CompareFindings, other: Against, name: str) -> Picture:
    both = {"frozen": "frozen", "refitted": "refitted", "frozen, at one length": "turned"}
    largest = np.array([effect.random_max for effect in other.effects.values()])
    return line_picture(
        "Effect of a direction", _ticks(other.effects), _lines(other.effects, both | {f"in {name}": "source"}),
        f"Mean change of the log-odds when a direction is added: that of {name} in {other.name} (frozen; also at "
        f"the refitted one's length), {other.name}'s own (refitted), and {name}'s in itself, with 95 % intervals "
        "over prompts.",
        around=both, bands={"random vectors": (list(-largest), list(largest))},
        ylabel="change of log-odds, nats", title=f"Adding the {found.settings.called} direction to {other.name}",
    )  # fmt: skip


def _lines(found: Mapping[Level, object], names: Mapping[str, str]) -> dict[str, list]:
    return {title: [getattr(one, name) for one in found.values()] for title, name in names.items()}


def _ticks(levels: Iterable[Level]) -> list[str]:
    return [level.tick for level in levels]


def _names(others: Sequence[Against]) -> list[str]:
    """What tells the models apart: `step_0010` and `step_0100` are 0010 and 0100."""
    names = [other.name for other in others]
    heads = {name.rpartition("_")[0] for name in names}
    return names if len(heads) > 1 else [name.rpartition("_")[2] for name in names]
