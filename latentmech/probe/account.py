"""What a probe study says: numbers, sentences, methods, and the probe itself."""

from collections.abc import Iterator
from dataclasses import replace

from latentmech.data import said_of_copies
from latentmech.model import Model
from latentmech.probe.findings import CONTROL, NAMES, SHUFFLED, ProbedLevels, ProbeFindings
from latentmech.probe.tables import (
    TITLES,
    class_table,
    confusion_picture,
    layer_picture,
    layer_table,
    table_on_test,
)
from latentmech.report import Ledger, Method, Report, account, by_depth, values
from latentmech.statistics import FEWEST, verdict


def account_of(study: object, found: ProbeFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "task": found.task, "site": found.site, "method": found.method})
    numbers(found, ledger)
    return account(
        study, model, ledger,
        title=f"{found.task} in {model.name}",
        headline=headline(found),
        tables={"layers": layer_table(found), "test": table_on_test(found), "classes": class_table(found)},
        pictures={"layer_curve": layer_picture(found), "confusion": confusion_picture(found)},
        curves=by_depth("probe/depth", [fit.level for fit in found.own.fits], curves(found)),
        data=found.examples,
        groups="documents",
        notes=[*found.problem.units.notes, *notes(found)],
        methods=methods(found),
        artifacts={f"probes/{found.own.chosen.level.label}.safetensors": (found.own.chosen.probe.tensors(), card(found, model))},
        provenance={"best_layer": found.own.chosen.level.layer},
    )  # fmt: skip


def numbers(found: ProbeFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    _levels(found, found.own, ledger)
    if found.twin:
        _levels(found, found.twin, ledger, "random_init")
    _controls(found, ledger)
    at = {"layer": found.own.chosen.level.layer, "strength": found.own.chosen.strength, "split": "test"}
    for who, one in found.test.items():
        place = at if who == "probe" else {"control": who, "split": "test"}
        for metric, score in one.scores.items():
            ledger.add(f"probe/{'' if who == 'probe' else f'{who}/'}test/{metric}", score, metric, **place)
    for who, one in found.baselines_dev.items():
        for metric, score in one.scores.items():
            ledger.add(f"probe/{who}/dev/{metric}", score, metric, split="dev", control=who)
    for name, score in found.subsets.items():
        ledger.add(f"probe/test/{name}/accuracy", score, "accuracy", **at | {"split": f"test_{name}"})
    for lead in found.leads:
        ledger.add(f"probe/lead/{lead.rival}", lead.difference, f"lead_{found.compared}", **at, control=lead.rival)
    if found.selectivity:
        ledger.add("probe/selectivity", found.selectivity, "selectivity", **at)
    for name, flags in (("exact", found.duplicates.exact), ("near", found.duplicates.near)):
        ledger.add(f"probe/duplicates/{name}", int(flags.sum()), f"duplicates_{name}", split="test")


def _levels(found: ProbeFindings, levels: ProbedLevels, ledger: Ledger, control: str | None = None) -> None:
    """Dev scores and code lengths along the levels, and the block that dev chose."""
    prefix = f"probe/{control}" if control else "probe"
    for i, (fit, one) in enumerate(zip(levels.fits, levels.dev, strict=True)):
        name, at = f"{prefix}/{fit.level.label}", {"layer": fit.level.layer, "strength": fit.strength}
        who = control or ("embed" if fit.level.layer is None else None)
        for metric, score in one.scores.items():
            ledger.add(f"{name}/dev/{metric}", score, metric, **at, split="dev", control=who)
        if found.coded:
            place = {**at, "split": "train", "control": control}
            ledger.add(f"{name}/code_kbits", fit.code_bits / 1000, "code_kbits", **place)
            ledger.add(f"{name}/compression", found.compression(fit.code_bits), "compression", **place)
        if not control and found.equals is not None:
            ledger.add(f"{name}/not_worse", float(i in found.equals), "not_worse", **at, split="dev")
    chosen = levels.chosen
    ledger.add(f"{prefix}/best_layer", chosen.level.layer or 0, "best_layer", control=control, split="dev")
    if not control:
        ledger.add("probe/best_strength", chosen.strength, "best_strength", split="dev")
        if found.equals is not None:
            ledger.add("probe/not_worse/count", len(found.equals), "not_worse_count", split="dev")


def _controls(found: ProbeFindings, ledger: Ledger) -> None:
    """Labels that mean nothing: on dev along the levels, on test where they are read."""
    for fit in found.own.fits:
        at = {"layer": fit.level.layer, "strength": fit.strength, "split": "dev"}
        for seed, ((kind, _), value) in enumerate(zip(found.controls, fit.control_dev, strict=True)):
            name = f"probe/{kind}/seed_{seed}/{fit.level.label}/dev/accuracy"
            ledger.add(name, value, "accuracy", **at, control=kind, seed=seed)
    for seed, (kind, one) in enumerate(found.controls):
        name = f"probe/{kind}/seed_{seed}/test/accuracy"
        ledger.add(name, one.scores["accuracy"], "accuracy", control=kind, split="test", seed=seed)
    for kind in found.kinds:
        mean = {"metric": "accuracy", "control": f"{kind}_mean"}
        for fit, score in zip(found.own.fits, found.control_dev(kind), strict=True):
            at = {"layer": fit.level.layer, "strength": fit.strength, "split": "dev"}
            ledger.add(f"probe/{kind}/{fit.level.label}/dev/accuracy", score, **mean, **at)
        ledger.add(f"probe/{kind}/test/accuracy", found.control(kind, "accuracy"), **mean, split="test")
    if CONTROL in found.kinds:
        for fit, gap in zip(found.own.fits, found.selectivity_dev(), strict=True):
            at = {"layer": fit.level.layer, "strength": fit.strength, "split": "dev"}
            ledger.add(f"probe/{fit.level.label}/selectivity", gap, "selectivity", **at)
    if found.exchanges:
        ledger.add(f"probe/{SHUFFLED}/p", found.exchanges[2], "p", control=SHUFFLED, split="test")
    if found.control_code:
        kind, bits = found.control_code
        place = {"layer": found.own.chosen.level.layer, "control": kind, "split": "train"}
        ledger.add(f"probe/{kind}/code_kbits", bits / 1000, "code_kbits", **place)
        ledger.add(f"probe/{kind}/compression", found.compression(bits), "compression", **place)


def curves(found: ProbeFindings) -> dict[str, list[float]]:
    """What trackers draw against depth."""
    metric = found.metric
    drawn = {f"probe/dev/{metric}": values(found.own.on_dev(metric))}
    if found.twin:
        drawn[f"probe/random_init/dev/{metric}"] = values(found.twin.on_dev(metric))
    drawn |= {f"probe/{kind}/dev/accuracy": values(found.control_dev(kind)) for kind in found.kinds}
    if found.coded:
        drawn["probe/compression"] = [found.compression(fit.code_bits) for fit in found.own.fits]
    return drawn


def headline(found: ProbeFindings) -> str:
    """The answer, whether it beats every rival, and what its controls come to."""
    score, best = found.test["probe"].scores[found.metric], found.own.chosen.level
    said = (
        f"A {found.method.replace('_', '-')} probe reads {found.task} from {best.place} of {found.model} with test "
        f"{TITLES[found.metric]} {score:.3f}. {_verdict(found)}"
    )
    if found.selectivity:
        said += f" Its selectivity is {found.selectivity:+.3f}."
    if found.exchanges:
        reached, n, p = found.exchanges
        said += f" {reached} of {n} exchanges of the labels reach its score (p = {p:.3f})."
    return said


def _verdict(found: ProbeFindings) -> str:
    if found.untold:
        return f"Whether it beats anything cannot be told: {found.untold}."
    leads = [replace(lead, rival=_called(lead.rival, found)) for lead in found.leads]
    own = found.test["probe"].scores[found.compared]
    where = "It" if found.compared == found.metric else f"In {TITLES[found.compared]} ({own.value:.3f}) it"
    return f"{where} {verdict(leads)}."


def _called(who: str, found: ProbeFindings) -> str:
    return "any one answer for all" if who == "majority" and found.problem.n_classes == 2 else NAMES[who]


def notes(found: ProbeFindings) -> Iterator[str]:
    """What a reader must know before believing the table."""
    yield said_of_copies(found.duplicates, found.examples)
    if found.documents["test"] < 2:
        yield "Test is a single document: no score on it has an interval, and nothing can be shown to beat anything."
    if found.equals is None:
        yield (
            f"Which levels are as good as the best cannot be told: dev has {found.documents['dev']} documents with "
            f"answers to compare; expected {FEWEST} or more."
        )
    if found.coded:
        yield f"Labels are sent in fewer bits than by a uniform code by these factors: {'; '.join(_codes(found))}."
    yield from found.undone


def _codes(found: ProbeFindings) -> Iterator[str]:
    own = found.own.chosen
    yield f"{found.compression(own.code_bits):.2f} from {own.level.place}"
    if found.twin:
        yield f"{found.compression(found.twin.chosen.code_bits):.2f} from the random-init twin at its best block"
    if found.control_code:
        kind, bits = found.control_code
        yield f"{found.compression(bits):.2f} for {NAMES[kind]} from {own.level.place}"


def methods(found: ProbeFindings) -> Iterator[Method]:
    """What was tested, how often, against what."""
    parts = {split: len(found.problem.index[split]) for split in found.problem.index}
    counts = ", ".join(f"{n:,} in {split} ({found.documents[split]} documents)" for split, n in parts.items())
    by, levels = TITLES[found.metric], len(found.own.fits)
    yield Method(
        f"A linear probe ({found.method.replace('_', '-')}) was trained for {found.task} at {levels} levels of "
        f"{found.model}, on the {found.site} of {found.problem.unit}s: {counts}. Among up to {found.path} penalties a "
        f"level, and among the blocks, the one with the highest {by} on dev was chosen. Test was read once, at that "
        "block, so that no score on it is the best of several."
    )
    if found.equals is not None:
        said = f"Levels not shown to be worse than the best are a 95 % model confidence set by {by} on dev."
        yield Method(said, ("hansen2011",))
    if found.leads:
        yield Method(
            f"The probe beats its rivals if it is ahead of every one of {len(found.leads)} in {TITLES[found.compared]} "
            "on test: the whole 95 % interval of the paired difference lies above 0. All have to be beaten, so their "
            f"number needs no correction. They are: {'; '.join(_called(lead.rival, found) for lead in found.leads)}.",
            ("berger1982",),
        )
    if CONTROL in found.kinds:
        yield Method(
            f"{found.kinds[CONTROL]} control tasks give every word type a class at random, in the proportions of "
            "the task. Selectivity is the probe's accuracy minus their mean, paired.",
            ("hewitt2019",),
        )
    if SHUFFLED in found.kinds:
        unit = "documents" if found.problem.by_document else f"{found.problem.unit}s"
        p = "The p-value counts the exchange that was seen." if found.exchanges else "That is too few for a p-value."
        yield Method(
            f"Labels were exchanged among {unit} {found.kinds[SHUFFLED]} times, in all splits together, and probes "
            f"trained anew with the penalty of their level; dev chose the block again, by accuracy. {p}",
            ("phipson2010",),
        )
    if found.coded:
        yield Method(
            "The online code length is what the training labels cost when each block of them is sent with the "
            "probabilities of a probe trained on the blocks before.",
            ("voita2020",),
        )


def card(found: ProbeFindings, model: Model) -> dict[str, object]:
    """What the best block's probe is a probe of."""
    best = found.own.chosen
    return best.probe.card() | {
        "kind": "linear_probe",
        "task": found.task,
        "method": found.method,
        "strength": best.strength,
        "site": found.site,
        "position": found.position,
        "model": model.name,
        "model_identity": model.identity,
        "test": {metric: vars(score) for metric, score in found.test["probe"].scores.items()},
    }
