"""The tables of a steering study: dose and response, the verdict, what stands beside it, what is said, every prompt."""

from collections.abc import Mapping

import pandas as pd

from latentmech.report import Table
from latentmech.steering.findings import NecessityFindings, SteeringFindings

SHOWN = 8  # prompts whose completions are shown
SINGLE = {
    "neutral_perplexity": "neutral ppl ×",
    "own_perplexity": "own ppl",
    "reading": "reading",
    "repetition": "repeats",
}


def tables(found: SteeringFindings) -> Mapping[str, Table]:
    """All of them, the most telling first."""
    shown = {"strengths": strength_table(found), "verdict": claim_table(found), "controls": control_table(found)}
    if found.necessity is not None:
        first = {"necessity": necessity_table(found.necessity), "removals": removal_table(found.necessity)}
        shown = first | shown | {"answers": answer_table(found.necessity)}
    if found.choice is not None:
        shown["layers"] = layer_table(found)
    if found.selection is not None:
        shown |= {f"selection_{i}": table for i, table in enumerate(found.selection.tables)}
    return shown | {"completions": completion_table(found), "items": item_table(found)}


def strength_table(found: SteeringFindings) -> Table:
    """One row per strength: effect, null, damage."""
    rows = []
    for strength, one in found.doses.items():
        row = {"strength": strength} | one["effect"].cells("effect", "low", "high")
        if "random" in found.nulls:
            null = found.nulls["random"].at(strength)
            row |= {"random from": float(null.min()), "to": float(null.max())}
        row |= {"KL": one["kl"].value} | {title: one[name].value for name, title in SINGLE.items()}
        units = {name: each.value for name, each in one.items() if name.startswith("strength_")}
        rows.append(row | {f"in {name.removeprefix('strength_')}": value for name, value in units.items()})
    unit = "as a factor" if found.unit == "factor" else f"in units of {found.unit}"
    caption = (
        f"Strength {unit}: {found.kind.zero}. Effect: change of the log-odds against the untouched model, in nats, "
        f"mean over {len(found.trials)} prompts with a 95 % interval over their groups. Random directions are drawn as "
        f"the states vary, of the same length. KL in nats per token over {found.kl_tokens} tokens of the untouched "
        "model's text; own ppl: perplexity of that text when steered; reading: what the direction reads in the "
        "answers, in standard deviations of the untouched model's."
    )
    return Table(title="Dose and response", frame=pd.DataFrame(rows), caption=caption)


def claim_table(found: SteeringFindings) -> Table:
    """What the verdict rests on."""
    rows = [{"asked": c.asked, "holds": "yes" if c.holds else "no", "seen": c.seen} for c in found.verdict.claims]
    caption = (
        "All of it has to hold. More than random directions: the paired difference to every one of them is above 0 "
        "with its whole interval; the one that comes nearest is shown."
    )
    return Table(title="Is it steering?", frame=pd.DataFrame(rows, columns=["asked", "holds", "seen"]), caption=caption)


def control_table(found: SteeringFindings) -> Table:
    """Slopes, what directions without meaning do at the ends, and what a prompt does instead."""
    named = {"slope": "direction, nats per unit of strength", "wrong_way": "share of prompts that move the wrong way"}
    told = [name for name in found.overall if name.startswith("prompting/")]
    named |= {name: f"instruction {name.partition('/')[2]} it, change in nats" for name in told}
    rows = [{"what": what} | found.overall[name].cells("value", "low", "high") for name, what in named.items()]
    for null in found.nulls.values():
        for strength in found.ends:
            effects, own = null.at(strength), found.doses[strength]
            rows.append(
                {
                    "what": f"{len(effects)} {null.title} at {strength:+g}, mean and range",
                    "value": float(effects.mean()),
                    "low": float(effects.min()),
                    "high": float(effects.max()),
                    "KL": float(null.kl[:, null.strengths.index(strength)].mean()),
                    "KL of the direction": own["next_kl"].value,
                }
            )
    caption = (
        "Slopes are fitted per prompt. KL here is that of the next token after the prompt, in nats. Exchanged labels: "
        "what the same method finds when labels are exchanged by the unit that was labelled, as long as it then is. "
        "The instructions are what a user would try first."
    )
    return Table(title="Beside it", frame=pd.DataFrame(rows), caption=caption)


def layer_table(found: SteeringFindings) -> Table:
    """Where the direction could be used, and where it is."""
    choice = found.choice
    rows = [] if choice is None else zip(choice.layers, choice.steps.tolist(), strict=True)
    frame = pd.DataFrame(rows, columns=["layer", "least rise"])
    frame.insert(1, "mark", ["chosen" if layer == found.direction.layer else "" for layer in frame["layer"]])
    caption = "Least rise of the effect from one strength to the next, in nats per unit of strength, on dev prompts."
    return Table(title="Where to use it", frame=frame, caption=caption)


def completion_table(found: SteeringFindings) -> Table:
    """The first prompts' answers at every strength."""
    names = ["clean", *(f"{strength:+g}" for strength in found.strengths)]
    rows = [
        {"prompt": found.trials.shown[i], "strength": name, "text": answers[i]}
        for i in range(min(SHOWN, len(found.trials)))
        for name, answers in zip(names, found.answers, strict=True)
    ]
    frame = pd.DataFrame(rows).sort_values("prompt", kind="stable", ignore_index=True)
    return Table(title="What it says", frame=frame, caption=f"Greedy, {found.n_tokens} tokens, first prompts.")


def item_table(found: SteeringFindings) -> Table:
    """Every prompt's own numbers."""
    columns = {"prompt": found.trials.shown, "group": found.trials.groups, "clean": found.clean}
    columns |= {
        f"{strength:+g}": scores for strength, scores in zip(found.strengths, found.clean + found.change, strict=True)
    }
    frame = pd.DataFrame(columns | {"slope": found.slope})
    return Table(title="Prompt by prompt", frame=frame, caption="Log-odds in nats at each strength.")


def necessity_table(found: NecessityFindings) -> Table:
    """Refusals of harmful and harmless requests, before and after."""
    sides = {
        "harmful": (found.ablated, f"removed, {found.removed_by}", min),
        "harmless": (found.induced, f"added, × {found.added:g}", max),
    }
    rows = []
    for kind, (rates, edit, extreme) in sides.items():
        row = {"requests": kind, "n": rates.clean.n} | rates.clean.cells("clean") | {"edit": edit}
        row |= rates.edited.cells("edited")
        rows.append(row | {f"{null}, most effective": extreme(shares) for null, shares in rates.random.items()})
    counts = " and ".join(f"{len(shares)} {null}" for null, shares in found.ablated.random.items()) or "No random"
    caption = (
        f"Share of test requests refused, by the beginning of the answer, with 95 % intervals. {counts} directions "
        "were removed and added likewise (random: drawn as the states vary; isotropic: from the sphere). How to remove "
        "and how much to add was chosen on dev."
    )
    return Table(title="Is it needed, does it suffice?", frame=pd.DataFrame(rows), caption=caption)


def removal_table(found: NecessityFindings) -> Table:
    """What dev chose from."""
    rows = [
        {
            "edit": f"removed, {r.kind}",
            "mark": "chosen" if r.kind == found.removed_by else "",
            "refusal rate": r.rate,
            "neutral ppl ×": r.perplexity,
        }
        for r in found.removals
    ]
    rows += [
        {"edit": f"added, × {times:g}", "mark": "chosen" if times == found.added else "", "refusal rate": rate}
        for times, rate in found.additions.items()
    ]
    caption = (
        "On dev: removed from harmful requests, added to harmless ones. Of the removals that work the one that costs "
        f"least was chosen; on other neutral text it costs × {found.perplexity:.3f}."
    )
    return Table(title="Ways to remove and to add", frame=pd.DataFrame(rows), caption=caption)


def answer_table(found: NecessityFindings) -> Table:
    """Every request with its answers."""
    rows: list[dict[str, object]] = []
    for kind, edit, rates in (("harmful", "removed", found.ablated), ("harmless", "added", found.induced)):
        for (request, clean, edited), (before, after) in zip(rates.answers, rates.shown, strict=True):
            row = {"requests": kind, "request": request, "clean": clean, "refused": before}
            rows.append(row | {"edit": edit, "edited": edited, "refused when edited": after})
    return Table(title="Every answer", frame=pd.DataFrame(rows), caption="Greedy, on test.")
