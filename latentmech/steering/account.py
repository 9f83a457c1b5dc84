"""What a steering study says: numbers, pictures, sentences."""

from collections.abc import Iterator

from latentmech.model import Model
from latentmech.report import (
    Curve,
    Ledger,
    Method,
    Picture,
    Report,
    account,
    at_strength,
    band,
    layer_curve,
    trade_off,
    values,
)
from latentmech.steering.findings import NecessityFindings, NullEffects, SteeringFindings, TextRates
from latentmech.steering.tables import tables

METRICS = {"neutral_perplexity": "perplexity_factor", "own_perplexity": "perplexity"}  # where column and name differ


def account_of(study: object, found: SteeringFindings, model: Model) -> Report:
    """Everything a reader gets."""
    direction = found.direction
    common = {"study": "steering", "task": direction.name, "method": found.edit}
    ledger = Ledger(common | {"layer": direction.level.label, "site": direction.hook_name})
    numbers(found, ledger)
    shown = dict(pictures(found, model))
    if found.selection is not None:
        shown |= {f"selection_{i}": picture for i, picture in enumerate(found.selection.pictures)}
    return account(
        study, model, ledger,
        title=f"{direction.name} steering in {model.name}",
        headline=headline(found, model),
        tables=tables(found),
        pictures=shown,
        curves=tuple(curves(found)),
        groups="groups of prompts",
        notes=notes(found, model),
        methods=methods(found),
        exports=found.exports,
        artifacts={f"directions/{direction.name}.safetensors": direction.packed()},
        labels={"strength": found.strengths[0]} if len(found.strengths) == 1 else {},
        provenance={"direction": {"name": direction.name, "hook_name": direction.hook_name}},
    )  # fmt: skip


def numbers(found: SteeringFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    for name, one in found.overall.items():
        kind, _, told = name.partition("/")
        metric = {"clean": "log_odds", "wrong_way": "share", "prompting": "effect"}.get(kind, kind)
        control = f"prompting_{told}" if told else "clean" if name == "clean" else None
        ledger.add(f"steering/{name}", one, metric, control=control)
    for strength, estimates in found.doses.items():
        for name, one in estimates.items():
            ledger.add(f"steering/{name}{at_strength(strength)}", one, METRICS.get(name, name), strength=strength)
    for kind, null in found.nulls.items():
        null_numbers(found, kind, null, ledger)
    if found.exchanged is not None:
        ledger.add("steering/exchanged/p", found.exchanged[0], "p", control="exchanged", n=found.exchanged[1])
    ledger.add("steering/shown", float(found.verdict.holds), "verdict")
    if found.necessity is not None:
        necessity_numbers(found.necessity, ledger)


def null_numbers(found: SteeringFindings, kind: str, null: NullEffects, ledger: Ledger) -> None:
    """The range of what directions without meaning do, under the bare name for those that are hardest to beat."""
    path = "" if kind == "random" else f"/{kind}"
    for strength in found.strengths if kind == "random" else null.strengths:
        at, effects = at_strength(strength), null.at(strength)
        for end, value in (("min", effects.min()), ("max", effects.max())):
            columns = {"strength": strength, "control": f"{kind}_{end}", "n": len(effects)}
            ledger.add(f"steering/null_{end}{path}{at}", float(value), "effect", **columns)
        if kind == "random":
            beyond = found.doses[strength]["effect"].value - float(effects.mean())
            ledger.add(f"steering/effect_minus_null{at}", beyond, "effect_minus_null", strength=strength)
        if strength in null.strengths:
            kl = float(null.kl[:, null.strengths.index(strength)].mean())
            ledger.add(f"steering/null_next_kl{path}{at}", kl, "next_kl", strength=strength, control=kind)


def necessity_numbers(found: NecessityFindings, ledger: Ledger) -> None:
    """Rates and what they cost."""
    sides = {"harmful": ("ablated", found.ablated, min), "harmless": ("added", found.induced, max)}
    for kind, (edited, rates, extreme) in sides.items():
        path = f"steering/refusal_rate/{kind}"
        for name, rate in (("clean", rates.clean), (edited, rates.edited)):
            ledger.add(f"{path}/{name}", rate, "refusal_rate", control=name, split="test")
        for null, shares in rates.random.items():
            columns = {"control": f"{null}_{edited}", "split": "test"}
            ledger.add(f"{path}/{edited}_{null}", extreme(shares), "refusal_rate", **columns)
    ledger.add("steering/ablation/neutral_perplexity", found.perplexity, "perplexity_factor", split="test")
    ledger.add("steering/added_times_raw", found.added, "strength_raw")
    for removal in found.removals:
        columns = {"split": "dev", "control": removal.kind}
        ledger.add(f"steering/ablation/{removal.kind}/dev/refusal_rate", removal.rate, "refusal_rate", **columns)
        name = f"steering/ablation/{removal.kind}/dev/neutral_perplexity"
        ledger.add(name, removal.perplexity, "perplexity_factor", **columns)


def pictures(found: SteeringFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """Effect against strength beside directions without meaning, and against damage."""
    name, order = found.direction.name, found.ascending
    ticks, effects = [f"{found.strengths[i]:+g}" for i in order], [found.of("effect")[i] for i in order]
    bands = {name: band(effects)}
    if "random" in found.nulls:
        null = found.nulls["random"]
        around = [null.at(found.strengths[i]) for i in order]
        bands[f"{len(null.effect)} {null.title}"] = [float(e.min()) for e in around], [float(e.max()) for e in around]
    told = {kind: one.value for kind, one in found.overall.items() if kind.startswith("prompting/")}
    lines = {f"instruction {kind.partition('/')[2]} it": value for kind, value in told.items()}
    title = f"{name} at {found.direction.level.place} of {model.name}"
    figure = layer_curve(
        ticks, {name: values(effects)}, bands, lines, "change of log-odds (nats)", title,
        xlabel=f"strength ({found.unit})", best="",
    )  # fmt: skip
    caption = "Effect against strength with 95 % intervals, and the range of random directions of the same length."
    yield "dose_response", Picture(title="Dose and response", figure=figure, caption=caption)
    if len(found.strengths) > 1:
        points = list(
            zip(values(found.of("kl")), values(found.of("effect")), map("{:+g}".format, found.strengths), strict=True)
        )
        figure = trade_off(
            points,
            title=f"What {name} steering costs in {model.name}",
            xlabel="KL to the untouched model (nats per token)",
            ylabel="change of log-odds (nats)",
        )
        caption = "One point a strength; better is far from zero, and left."
        yield "trade_off", Picture(title="Effect against damage", figure=figure, caption=caption)


def curves(found: SteeringFindings) -> Iterator[Curve]:
    """Everything against strength."""
    steps = tuple(found.strengths[i] for i in found.ascending)
    drawn = {name: values(found.of(name)) for name in ("effect", "kl", "own_perplexity", "neutral_perplexity")}
    if "random" in found.nulls:
        around = [found.nulls["random"].at(strength) for strength in found.strengths]
        drawn |= {"null_max": [float(e.max()) for e in around], "null_min": [float(e.min()) for e in around]}
    for name, heights in drawn.items():
        curve = tuple(heights[i] for i in found.ascending)
        yield Curve(name=f"steering/{name}", axis="steering/strength", steps=steps, values=curve)


def headline(found: SteeringFindings, model: Model) -> str:
    """What the ends of the dose do, whether that is steering, and whether the behaviour needs the direction."""
    ends = [(strength, found.doses[strength]) for strength in sorted(found.ends)]
    parts = [f"{one['effect']:+.2f} nats at {strength:+g} (KL {one['kl'].value:.2f})" for strength, one in ends]
    where = f"the {found.direction.name} direction at {found.direction.level.place} of {model.name}"
    said = f"{found.kind.verb} {where} changes its log-odds by {' and '.join(parts) or 'nothing'}. {found.verdict.said}"
    return said if found.necessity is None else f"{said} {_of_necessity(found.necessity)}"


def _of_necessity(found: NecessityFindings) -> str:
    a, i = found.ablated, found.induced
    return (
        f"Removed ({found.removed_by.replace('_', '-')}), it takes refusals of harmful requests from {a.clean:.0%} to "
        f"{a.edited:.0%} at {found.perplexity:.2f} times the perplexity{_beside(a)}; added (× {found.added:g}), it "
        f"takes those of harmless ones from {i.clean:.0%} to {i.edited:.0%}{_beside(i)}."
    )


def _beside(rates: TextRates) -> str:
    """Whether that is more than directions without meaning do."""
    if not rates.ahead:
        return ""
    leads = [lead for some in rates.ahead.values() for lead in some]
    more = "more" if all(lead.clear for lead in leads) else "not shown to be more"
    return f", {more} than {len(leads)} random directions do"


def notes(found: SteeringFindings, model: Model) -> Iterator[str]:
    """What a reader must know before believing an effect."""
    yield from (*found.notes, *(found.selection.notes if found.selection else ()), *found.trials.notes)
    if found.kind.neutral != 0:
        yield f"{found.kind.verb} a direction: {found.kind.zero}."
    if found.necessity is not None and (rate := found.necessity.ablated.clean.value) < 0.5:
        yield f"{model.name} refuses {rate:.0%} of harmful requests when untouched: there is little to remove."
    if found.exports:
        yield "In weights/ablated the direction is removed from every token: the plain ablation."
    if found.exports and "weights/added" not in found.exports:
        wanted = "edit=addition, exactly one strength but 0, a scope of all tokens and no gate"
        yield f"There is no weights/added: an addition in the weights needs {wanted}."


def methods(found: SteeringFindings) -> Iterator[Method]:
    """What was done, step by step."""
    direction = found.direction
    unit = {"factor": "as plain factors", "kl": "in nats of KL on dev prompts"}.get(
        found.unit, f"in units of {found.unit}"
    )
    gate = f", only where its {found.gate} exceeds what separates the dev texts" if found.gate else ""
    yield Method(
        f"The {direction.name} direction was used at {direction.hook_name} ({found.edit}{gate}; {found.kind.zero}) in "
        f"{len(found.strengths)} strengths, {unit}. The effect is the change of the log-odds of the next tokens that "
        f"count for the behaviour, over {len(found.trials)} prompts.",
        ("turner2023",),
    )
    if found.choice is not None:
        yield Method(
            f"The block was chosen out of {len(found.choice.layers)} on dev prompts: that where the least rise of the "
            "effect from one strength to the next is largest. Directions from exchanged labels and the first "
            "random directions chose theirs by the same rule, at both ends of the dose, out of a few blocks."
        )
    if "random" in found.nulls:
        yield Method(
            f"{len(found.nulls['random'].effect)} random directions were drawn from the covariance of the states at "
            "the block, and as many from the sphere, and used at the same strengths. The direction counts as ahead if "
            "at each end of the dose the paired difference to every one of them is above 0 with its whole interval, "
            "at equal length and at equal KL of the next token (between the strengths that were run, linear in the "
            "root of the KL). All comparisons have to hold, so none is corrected.",
            ("berger1982",),
        )
    if found.exchanged is not None:
        yield Method(
            f"{found.exchanged[1]} directions were found by the same method under labels exchanged by the unit that "
            "was labelled, and added as long as the method made them; p is one-sided, of the effect from end to end.",
            ("phipson2010",),
        )
    yield Method(
        f"Damage is the KL over {found.kl_tokens} tokens of the untouched model's own text, and the perplexity of a "
        "neutral text over all its tokens."
    )
    if found.necessity is not None:
        yield Method(
            "Removal and addition were chosen on dev and counted once on test, by the beginning of the answers; random "
            "directions were removed and added in the same way.",
            ("arditi2024",),
        )
