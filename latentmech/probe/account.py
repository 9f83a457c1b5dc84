"""What a probe study says: numbers, sentences, methods, and the probe itself."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from latentmech.data import said_of_copies
from latentmech.model import Model
from latentmech.probe.findings import CONTROL, NAMES, SHUFFLED, ProbedLevels, ProbeFindings, place_of
from latentmech.probe.tables import TITLES, pictures_of, tables_of
from latentmech.report import Ledger, Method, Report, account, by_depth, values
from latentmech.statistics import FEWEST, Estimate, verdict


def account_of(study: object, found: ProbeFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "task": found.task, "site": found.site, "method": found.method})
    numbers(found, ledger)
    best = found.own.chosen
    return account(
        study, model, ledger,
        title=f"{found.task} in {model.name}",
        headline=headline(found),
        tables=tables_of(found),
        pictures=pictures_of(found),
        curves=by_depth("probe/depth", [fit.level for fit in found.own.fits], curves(found)),
        data=found.examples,
        groups="documents",
        notes=[*found.problem.units.notes, *notes(found)],
        methods=methods(found),
        artifacts={f"probes/{best.level.label}.safetensors": (best.probe.tensors(), card(found, model))},
        provenance={"best_layer": best.level.layer},
    )  # fmt: skip


def numbers(found: ProbeFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    _levels(found, found.own, ledger, "probe")
    if found.twin:
        _levels(found, found.twin, ledger, "probe/random_init", "random_init")
    _controls(found, ledger)
    best = place_of(found.own.chosen)
    for who, one in found.test.items():
        name, place = ("probe/test", best) if who == "probe" else (f"probe/{who}/test", {"control": who})
        _scores(ledger, name, one.scores, **place, split="test")
    for who, one in found.baselines_dev.items():
        _scores(ledger, f"probe/{who}/dev", one.scores, control=who, split="dev")
    for name, score in found.subsets.items():
        _scores(ledger, f"probe/test/{name}", {"accuracy": score}, **best, split=f"test_{name}")
    for lead in found.leads:
        ledger.add(f"probe/lead/{lead.rival}", lead.difference, "lead", **best, control=lead.rival, split="test")
    if found.selectivity:
        _scores(ledger, "probe", {"selectivity": found.selectivity}, **best, split="test")
    chosen = {"best_layer": found.own.chosen.level.layer or 0, "best_strength": found.own.chosen.strength}
    _scores(ledger, "probe", chosen, split="dev")
    if found.equals is not None:
        ledger.add("probe/not_worse/count", len(found.equals), "not_worse_count", split="dev")
    for name, flags in (("exact", found.duplicates.exact), ("near", found.duplicates.near)):
        ledger.add(f"probe/duplicates/{name}", int(flags.sum()), f"duplicates_{name}", split="test")


def _levels(
    found: ProbeFindings, levels: ProbedLevels, ledger: Ledger, prefix: str, control: str | None = None
) -> None:
    """Dev scores and code lengths along the levels."""
    for i, (fit, one) in enumerate(zip(levels.fits, levels.dev, strict=True)):
        name, who = f"{prefix}/{fit.level.label}", control or ("embed" if fit.level.layer is None else None)
        _scores(ledger, f"{name}/dev", one.scores, **place_of(fit), split="dev", control=who)
        if levels.coded:
            _scores(ledger, name, _code(found, fit.code_bits), **place_of(fit), split="train", control=control)
        if not control and found.equals is not None:
            _scores(ledger, name, {"not_worse": float(i in found.equals)}, **place_of(fit), split="dev")
    if control:
        _scores(ledger, prefix, {"best_layer": levels.chosen.level.layer or 0}, control=control, split="dev")


def _controls(found: ProbeFindings, ledger: Ledger) -> None:
    """Labels that mean nothing: on dev along the levels, on test where they are read."""
    fits = found.own.fits
    for seed, (kind, one) in enumerate(found.controls):
        name, columns = f"probe/{kind}/seed_{seed}", {"control": kind, "seed": seed}
        for fit in fits:
            value = {"accuracy": fit.control_dev[seed]}
            _scores(ledger, f"{name}/{fit.level.label}/dev", value, **place_of(fit), **columns, split="dev")
        _scores(ledger, f"{name}/test", {"accuracy": one.scores["accuracy"]}, **columns, split="test")
    for kind in found.kinds:
        for fit, score in zip(fits, found.control_dev(kind), strict=True):
            name = f"probe/{kind}/{fit.level.label}/dev"
            _scores(ledger, name, {"accuracy": score}, **place_of(fit), control=f"{kind}_mean", split="dev")
        score = found.control(kind)["accuracy"]
        _scores(ledger, f"probe/{kind}/test", {"accuracy": score}, control=f"{kind}_mean", split="test")
    if CONTROL in found.kinds:
        for fit, gap in zip(fits, found.selectivity_dev(), strict=True):
            _scores(ledger, f"probe/{fit.level.label}", {"selectivity": gap}, **place_of(fit), split="dev")
    if found.exchanges:
        _scores(ledger, f"probe/{SHUFFLED}", {"p": found.exchanges[2]}, control=SHUFFLED, split="test")
    for who, bits in found.codes.items():
        _scores(ledger, f"probe/{who}", _code(found, bits), control=who, split="train")


def _scores(ledger: Ledger, name: str, scores: Mapping[str, Estimate | float | int], **columns: object) -> None:
    for metric, score in scores.items():
        ledger.add(f"{name}/{metric}", score, metric, **columns)


def _code(found: ProbeFindings, bits: float) -> dict[str, float]:
    return {"code_kbits": bits / 1000, "compression": found.compression(bits)}


def curves(found: ProbeFindings) -> dict[str, list[float]]:
    """What trackers draw against depth."""
    drawn = {f"probe/dev/{found.metric}": values(found.own.on_dev(found.metric))}
    if found.twin:
        drawn[f"probe/random_init/dev/{found.metric}"] = values(found.twin.on_dev(found.metric))
    drawn |= {f"probe/{kind}/dev/accuracy": values(found.control_dev(kind)) for kind in found.kinds}
    if found.own.coded:
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
    leads = [replace(lead, rival=NAMES[lead.rival]) for lead in found.leads]
    own = found.test["probe"].scores[found.compared]
    where = "It" if found.compared == found.metric else f"In {TITLES[found.compared]} ({own.value:.3f}) it"
    return f"{where} {verdict(leads)}."


def notes(found: ProbeFindings) -> Iterator[str]:
    """What a reader must know before believing the table."""
    yield said_of_copies(found.duplicates, found.examples)
    if found.documents["test"] < 2:
        yield "Test is a single document: no score on it has an interval, and nothing can be shown to beat anything."
    if len(set(found.test["probe"].predicted.tolist())) == 1:
        yield f"The probe gives every {found.problem.unit} of test the same answer."
    if found.equals is None:
        seen = f"dev has {found.documents['dev']} documents; expected {FEWEST} or more, and two classes"
        yield f"Which levels are as good as the best cannot be told: {seen}."
    if found.own.coded:
        factors = {"the probe": found.own.chosen.code_bits} | {NAMES[who]: bits for who, bits in found.codes.items()}
        said = "; ".join(f"{who} {found.compression(bits):.2f}" for who, bits in factors.items())
        yield f"By how much labels are compressed at the best block (online code length): {said}."
    yield from found.undone


def methods(found: ProbeFindings) -> Iterator[Method]:
    """What was tested, how often, against what."""
    parts = {split: len(found.problem.index[split]) for split in found.problem.index}
    counts = ", ".join(f"{n:,} in {split} (documents: {found.documents[split]})" for split, n in parts.items())
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
    if not found.untold:
        yield Method(
            f"The probe beats its rivals if it is ahead of every one of {len(found.leads)} in {TITLES[found.compared]} "
            "on test: the whole 95 % interval of the paired difference lies above 0. All have to be beaten, so their "
            f"number needs no correction. They are: {'; '.join(NAMES[lead.rival] for lead in found.leads)}.",
            ("berger1982",),
        )
    if CONTROL in found.kinds:
        yield Method(
            f"Control tasks ({found.kinds[CONTROL]}) give every word type a class at random, in the proportions of the "
            "task. Selectivity is the probe's accuracy minus their mean, paired.",
            ("hewitt2019",),
        )
    if SHUFFLED in found.kinds:
        p = "The p-value counts the exchange that was seen." if found.exchanges else "That is too few for a p-value."
        yield Method(
            f"Labels were exchanged among {found.problem.labelled} in all splits together (exchanges: "
            f"{found.kinds[SHUFFLED]}), and probes trained anew with the penalty of their level; dev chose the block "
            f"again, by accuracy. {p}",
            ("phipson2010",),
        )
    if found.own.coded:
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
