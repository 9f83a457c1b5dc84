"""The tables of a steering study: dose and response, the verdict, what stands beside it, what is said, every prompt."""

from collections.abc import Iterator, Mapping

import pandas as pd

from latentmech.report import Table
from latentmech.steering.findings import SteeringFindings

SHOWN = 8  # prompts whose completions are shown
SINGLE = {"kl": "KL", "neutral_perplexity": "neutral ppl ×", "own_perplexity": "own ppl", "reading": "reading",
          "repetition": "repeats"}  # fmt: skip


def tables(found: SteeringFindings) -> dict[str, Table]:
    """All of them, the most telling first."""
    necessity = dict(necessity_tables(found))
    answers = {"answers": necessity.pop("answers")} if necessity else {}
    own = {"strengths": strength_table(found), "verdict": claim_table(found), "controls": control_table(found)}
    places = {} if found.rises is None else {"layers": layer_table(found, found.rises)}
    chosen = {f"selection_{i}": table for i, table in enumerate(found.selection.tables if found.selection else ())}
    said = {"completions": completion_table(found), "items": item_table(found)}
    return necessity | own | answers | places | chosen | said


def strength_table(found: SteeringFindings) -> Table:
    """One row per strength: effect, null, damage."""
    rows = []
    for strength, one in found.doses.items():
        row = {"strength": strength} | one["effect"].cells("effect", "low", "high")
        if "random" in found.sweep.others:
            null = found.null("random", strength)
            row |= {"random from": float(null.min()), "to": float(null.max())}
        row |= {title: one[name].value for name, title in SINGLE.items()}
        rows.append(row | {name.replace("strength_", "in "): one[name].value for name in one if "strength_" in name})
    caption = (
        f"Strength ({found.unit}): {found.kind.zero}. Effect: change of the log-odds against the untouched model, in "
        f"nats, mean over {len(found.trials)} prompts with a 95 % interval over their groups. Random directions are "
        f"drawn as the states vary, of the same length. KL in nats per token over {found.settings.kl_tokens} tokens of "
        "the untouched model's text; own ppl: perplexity of that text when steered; reading: what the direction reads "
        "in the answers, in standard deviations of the untouched model's."
    )
    return Table(title="Dose and response", frame=pd.DataFrame(rows), caption=caption)


def claim_table(found: SteeringFindings) -> Table:
    """What the verdict rests on."""
    rows = [(claim.asked, "yes" if claim.holds else "no", claim.seen) for claim in found.verdict.claims]
    caption = (
        "All of it has to hold. More than some directions: the paired difference to every one of them is above 0 with "
        "its whole interval; the one that comes nearest is shown."
    )
    return Table(title="Is it steering?", frame=pd.DataFrame(rows, columns=["asked", "holds", "seen"]), caption=caption)


def control_table(found: SteeringFindings) -> Table:
    """Slopes, what a prompt does instead, and what directions without meaning do at the ends."""
    named = {"slope": "direction, nats per unit of strength", "wrong_way": "share of prompts that move the wrong way",
             "prompting/for": "instruction for it, change in nats",
             "prompting/against": "instruction against it, change in nats"}  # fmt: skip
    shown = {what: found.overall[name] for name, what in named.items() if name in found.overall}
    rows = [{"what": what} | one.cells("value", "low", "high") for what, one in shown.items()]
    for kind in found.sweep.others:
        for strength in found.ends:
            effects, what = found.null(kind, strength), f"{found.title(kind)} at {strength:+g}, mean and range"
            around = {"value": effects.mean(), "low": effects.min(), "high": effects.max()}
            kl = {"KL": found.null_kl(kind, strength), "KL of the direction": found.doses[strength]["next_kl"].value}
            rows.append({"what": what, **around, **kl})
    caption = (
        "Slopes are fitted per prompt. KL here is that of the next token after the prompt, in nats. Exchanged labels: "
        "what the same method finds under them, as long as it then is. The instructions are what a user tries first."
    )
    return Table(title="Beside it", frame=pd.DataFrame(rows), caption=caption)


def layer_table(found: SteeringFindings, rises: Mapping[int, float]) -> Table:
    """Where the direction could be used, and where it is."""
    rows = [(layer, "chosen" if layer == found.direction.layer else "", rise) for layer, rise in rises.items()]
    caption = "Least rise of the effect from one strength to the next, in nats per unit of strength, on dev prompts."
    frame = pd.DataFrame(rows, columns=["layer", "mark", "least rise"])
    return Table(title="Where to use it", frame=frame, caption=caption)


def completion_table(found: SteeringFindings) -> Table:
    """The first prompts' answers at every strength."""
    names = ["clean", *(f"{strength:+g}" for strength in found.strengths)]
    said = list(zip(names, found.sweep.answers, strict=True))
    rows = [(shown, name, own[i]) for i, shown in enumerate(found.trials.shown[:SHOWN]) for name, own in said]
    frame = pd.DataFrame(rows, columns=["prompt", "strength", "text"]).sort_values("prompt", kind="stable")
    caption = f"Greedy, {found.settings.n_tokens} tokens, first prompts."
    return Table(title="What it says", frame=frame.reset_index(drop=True), caption=caption)


def item_table(found: SteeringFindings) -> Table:
    """Every prompt's own numbers."""
    columns = {"prompt": found.trials.shown, "group": found.trials.groups, "clean": found.sweep.own.clean}
    scores = found.sweep.own.clean + found.sweep.own.change[0]
    columns |= {f"{strength:+g}": own for strength, own in zip(found.strengths, scores, strict=True)}
    frame = pd.DataFrame(columns | {"slope": found.slope})
    return Table(title="Prompt by prompt", frame=frame, caption="Log-odds in nats at each strength.")


def necessity_tables(found: SteeringFindings) -> Iterator[tuple[str, Table]]:
    """Refusals of harmful and harmless requests before and after, what dev chose from, and every answer."""
    if (own := found.necessity) is None:
        return
    removed, added = f"removed, {own.removed_by}", f"added, × {own.added:g}"
    sides = {"harmful": (own.ablated, removed), "harmless": (own.induced, added)}
    rows: list[dict[str, object]] = []
    for kind, (rates, edit) in sides.items():
        row = {"requests": kind, "n": rates.clean.n, **rates.clean.cells("clean"), "edit": edit}
        most = {f"{null}, most effective": share for null, share in rates.most.items()}
        rows.append(row | rates.edited.cells("edited") | most)
    counts = " and ".join(f"{n} {null}" for null, n in own.ablated.others.items()) or "No random"
    caption = (
        f"Share of test requests refused, by the beginning of the answer, with 95 % intervals. {counts} directions "
        "were removed and added likewise (random: drawn as the states vary; isotropic: from the sphere). How to remove "
        "and how much to add was chosen on dev."
    )
    yield "necessity", Table(title="Is it needed, does it suffice?", frame=pd.DataFrame(rows), caption=caption)
    ways = {f"removed, {one.kind}": (one.rate, one.perplexity) for one in own.removals}
    ways |= {f"added, × {times:g}": (rate, float("nan")) for times, rate in own.additions.items()}
    chosen = [(edit, "chosen" if edit in (removed, added) else "", *costs) for edit, costs in ways.items()]
    caption = (
        "On dev: removed from harmful requests, added to harmless ones. Of the removals that work the one that costs "
        f"least was chosen; on other neutral text it costs × {own.perplexity:.3f}."
    )
    frame = pd.DataFrame(chosen, columns=["edit", "mark", "refusal rate", "neutral ppl ×"])
    yield "removals", Table(title="Ways to remove and to add", frame=frame, caption=caption)
    answers = [
        (kind, request, clean, before, edit.partition(",")[0], edited, after)
        for kind, (rates, edit) in sides.items()
        for request, clean, before, edited, after in rates.answers
    ]
    columns = ["requests", "request", "clean", "refused", "edit", "edited", "refused when edited"]
    frame = pd.DataFrame(answers, columns=columns)
    yield "answers", Table(title="Every answer", frame=frame, caption="Greedy, on test.")
