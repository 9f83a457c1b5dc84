"""What a steering study says: numbers, pictures, sentences."""

from collections.abc import Iterator

from latentmech.model import Model
from latentmech.report import Curve, Ledger, Method, Picture, Report, account, at_strength, band, layer_curve, trade_off
from latentmech.statistics import Estimate
from latentmech.steering.findings import SteeringFindings
from latentmech.steering.tables import tables

METRICS = {
    "clean": "log_odds", "wrong_way": "share", "prompting/for": "effect", "prompting/against": "effect",
    "neutral_perplexity": "perplexity_factor", "own_perplexity": "perplexity",
}  # fmt: skip
CONTROLS = {"clean": "clean", "prompting/for": "prompting_for", "prompting/against": "prompting_against"}


def account_of(study: object, found: SteeringFindings, model: Model) -> Report:
    """Everything a reader gets."""
    direction, place = found.direction, {"layer": found.direction.level.label, "site": found.direction.hook_name}
    ledger = Ledger({"study": "steering", "task": direction.name, "method": found.settings.edit, **place})
    numbers(found, ledger)
    data = direction.card.get("data", {}).get("fingerprint")
    selected = enumerate(found.selection.pictures if found.selection else ())
    return account(
        study, model, ledger,
        title=f"{direction.name} steering in {model.name}",
        headline=headline(found, model),
        tables=tables(found),
        pictures=dict(pictures(found, model)) | {f"selection_{i}": picture for i, picture in selected},
        curves=tuple(curves(found)),
        groups="groups of prompts",
        notes=notes(found, model),
        methods=methods(found),
        exports=found.exports,
        artifacts={f"directions/{direction.name}.safetensors": direction.packed()},
        labels={"strength": found.strengths[0]} if len(found.strengths) == 1 else {},
        provenance={"direction": {"name": direction.name, "hook_name": direction.hook_name, "data": data}},
    )  # fmt: skip


def numbers(found: SteeringFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row; of all nulls the hardest to beat has the bare name."""

    def add(name: str, value: Estimate | float | int, metric: str, **columns: object) -> None:
        ledger.add(f"steering/{name}", value, metric, **columns)

    for name, one in found.overall.items():
        add(name, one, METRICS.get(name, name), control=CONTROLS.get(name))
    for strength, estimates in found.doses.items():
        for name, one in estimates.items():
            add(f"{name}{at_strength(strength)}", one, METRICS.get(name, name), strength=strength)
    for kind, null in found.sweep.others.items():
        path = "" if kind == "random" else f"/{kind}"
        for strength in found.strengths if kind == "random" else null.strengths:
            effects, at = found.null(kind, strength), at_strength(strength)
            for end, value in (("min", effects.min()), ("max", effects.max())):
                add(f"null_{end}{path}{at}", float(value), "effect", strength=strength, control=f"{kind}_{end}")
            if kind == "random":
                beyond, name = found.doses[strength]["effect"].value - float(effects.mean()), "effect_minus_null"
                add(f"{name}{at}", beyond, name, strength=strength)
            if strength in null.strengths:
                kl = found.null_kl(kind, strength)
                add(f"null_next_kl{path}{at}", kl, "next_kl", strength=strength, control=kind)
    if found.exchanged is not None:
        add("exchanged/p", found.exchanged[0], "p", control="exchanged")
    add("shown", float(found.verdict.holds), "verdict")
    if (own := found.necessity) is None:
        return
    for kind, how, rates in (("harmful", "ablated", own.ablated), ("harmless", "added", own.induced)):
        most = {f"{how}_{null}": share for null, share in rates.most.items()}
        shares: dict[str, Estimate | float] = {"clean": rates.clean, how: rates.edited, **most}
        for name, share in shares.items():
            add(f"refusal_rate/{kind}/{name}", share, "refusal_rate", control=name, split="test")
    add("ablation/neutral_perplexity", own.perplexity, "perplexity_factor", split="test")
    add("added_times_raw", own.added, "strength_raw")
    for removal in own.removals:
        for name, value in (("refusal_rate", removal.rate), ("neutral_perplexity", removal.perplexity)):
            columns = {"split": "dev", "control": removal.kind}
            add(f"ablation/{removal.kind}/dev/{name}", value, METRICS.get(name, name), **columns)


def pictures(found: SteeringFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """Effect against strength beside directions without meaning, and against damage."""
    name, ticks = found.direction.name, [f"{strength:+g}" for strength in sorted(found.strengths)]
    effects, bands = [one.value for one in found.of("effect")], {name: band(found.of("effect"))}
    if "random" in found.sweep.others:
        bands[found.title("random")] = _ends_of_null(found)
    told = {kind.removeprefix("prompting/"): one.value for kind, one in found.overall.items() if "/" in kind}
    figure = layer_curve(
        ticks, {name: effects}, bands, {f"instruction {kind} it": value for kind, value in told.items()},
        "change of log-odds (nats)", f"{name} at {found.direction.level.place} of {model.name}",
        xlabel=f"strength ({found.unit})", best="",
    )  # fmt: skip
    caption = "Effect against strength with 95 % intervals, and the range of random directions of the same length."
    yield "dose_response", Picture(title="Dose and response", figure=figure, caption=caption)
    if len(ticks) > 1:
        points = list(zip((one.value for one in found.of("kl")), effects, ticks, strict=True))
        figure = trade_off(
            points, title=f"What {name} steering costs in {model.name}",
            xlabel="KL to the untouched model (nats per token)", ylabel="change of log-odds (nats)",
        )  # fmt: skip
        caption = "One point a strength; better is far from zero, and left."
        yield "trade_off", Picture(title="Effect against damage", figure=figure, caption=caption)


def curves(found: SteeringFindings) -> Iterator[Curve]:
    """Everything against strength."""
    shown = ("effect", "kl", "own_perplexity", "neutral_perplexity")
    drawn = {name: [one.value for one in found.of(name)] for name in shown}
    if "random" in found.sweep.others:
        drawn["null_min"], drawn["null_max"] = _ends_of_null(found)
    steps = tuple(sorted(found.strengths))
    for name, heights in drawn.items():
        yield Curve(name=f"steering/{name}", axis="steering/strength", steps=steps, values=tuple(heights))


def _ends_of_null(found: SteeringFindings) -> tuple[list[float], list[float]]:
    """The smallest and the largest effect of a random direction, from the lowest strength to the highest."""
    around = [found.null("random", strength) for strength in sorted(found.strengths)]
    return [float(effects.min()) for effects in around], [float(effects.max()) for effects in around]


def headline(found: SteeringFindings, model: Model) -> str:
    """What the ends of the dose do, whether that is steering, and whether the behaviour needs the direction."""
    ends = {strength: found.doses[strength] for strength in sorted(found.ends)}
    parts = [f"{one['effect']:+.2f} nats at {at:+g} (KL {one['kl'].value:.2f})" for at, one in ends.items()]
    where = f"the {found.direction.name} direction at {found.direction.level.place} of {model.name}"
    scored = getattr(found.settings.trials, "scored", "the tokens that count")
    said = f"{found.kind.verb} {where} changes its log-odds of {scored} by {' and '.join(parts) or 'nothing'}."
    return f"{said} {found.verdict.said} {_of_necessity(found)}".strip()


def _of_necessity(found: SteeringFindings) -> str:
    """What removal and addition do, and whether that is more than directions without meaning do."""
    if (own := found.necessity) is None:
        return ""
    rates = []
    for side in (own.ablated, own.induced):
        more = "more" if all(lead.clear for lead in side.ahead) else "not shown to be more"
        beside = f", {more} than random ones do" if side.ahead else ""
        rates.append(f"from {side.clean:.0%} to {side.edited:.0%}{beside}")
    return (
        f"Removed ({own.removed_by.replace('_', '-')}), it takes refusals of harmful requests {rates[0]}, at "
        f"{own.perplexity:.2f} times the perplexity; added (× {own.added:g}), it takes those of harmless ones "
        f"{rates[1]}."
    )


def notes(found: SteeringFindings, model: Model) -> Iterator[str]:
    """What a reader must know before believing an effect."""
    yield from (*found.notes, *(found.selection.notes if found.selection else ()), *found.trials.notes)
    if found.kind.neutral != 0:
        yield f"{found.kind.verb} a direction: {found.kind.zero}."
    if found.necessity is not None and (rate := found.necessity.ablated.clean.value) < 0.5:
        yield f"{model.name} refuses {rate:.0%} of harmful requests when untouched: there is little to remove."
    if found.necessity is not None and (
        cut := sum(r.unfinished for r in (found.necessity.ablated, found.necessity.induced))
    ):
        yield f"{cut} answers end while they still reason and count as no refusal: raise steering.necessity.n_tokens."
    if found.exports:
        yield "In weights/ablated the direction is removed from every token: the plain ablation."
    if found.exports and "weights/added" not in found.exports:
        wanted = "edit=addition, exactly one strength but 0, a scope of all tokens and no gate"
        yield f"There is no weights/added: an addition in the weights needs {wanted}."


def methods(found: SteeringFindings) -> Iterator[Method]:
    """What was done, step by step."""
    asked = found.settings
    gate = f", only where its {asked.gate} exceeds what separates the dev texts" if asked.gate else ""
    yield Method(
        f"The {found.direction.name} direction was used at {found.direction.hook_name} ({asked.edit}{gate}) in "
        f"{len(found.strengths)} strengths ({found.unit}; {found.kind.zero}). Effect: change of the log-odds of the "
        f"next tokens that count for the behaviour, over {len(found.trials)} prompts. Damage: KL over "
        f"{asked.kl_tokens} tokens of the untouched model's own text, and perplexity of a neutral text.",
        ("turner2023",),
    )
    if found.rises is not None:
        yield Method(
            f"The block was chosen out of {len(found.rises)} on dev prompts, by the least rise of the effect "
            "from one strength to the next. Directions from exchanged labels, and some of the random ones, chose "
            "theirs by the same rule, at the ends of the dose, out of a few blocks and on fewer prompts."
        )
    if "random" in found.sweep.others:
        yield Method(
            f"{found.title('random')} were drawn from the covariance of the states at the block, and as many from the "
            "sphere. The direction is ahead of them if at each end of the dose the paired difference to every one is "
            "above 0 with its whole interval, at equal length and at equal KL of the next token (interpolated, in the "
            "root of the KL, between the strengths that were run). All has to hold, so nothing is corrected.",
            ("berger1982",),
        )
    if found.exchanged is not None:
        yield Method(
            f"{found.exchanged[1]} directions were found under labels exchanged by the unit that was labelled, and "
            "used as long as the method then made them; p is one-sided, of the effect from end to end.",
            ("phipson2010",),
        )
    if found.necessity is not None:
        yield Method(
            "Ways of removing and adding were chosen on dev and counted once on test, by how answers begin; random "
            "directions were removed and added in the same way.",
            ("arditi2024",),
        )
