"""The tables of removal and addition: refusals with and without, the ways to do it, every answer."""

import numpy as np
import pandas as pd

from latentmech.report import Table
from latentmech.steering.necessity import Verdict


def verdict_table(verdict: Verdict) -> Table:
    """Refusals of harmful and harmless requests, before and after."""
    a, i = verdict.ablated, verdict.induced
    rows = [
        {"requests": "harmful", "n": len(a.clean), "clean": a.clean.mean(), "edit": f"removed, {verdict.removed_by}",
         "edited": a.edited.mean(), "random, most effective": min(a.random, default=np.nan)},
        {"requests": "harmless", "n": len(i.clean), "clean": i.clean.mean(), "edit": f"added, × {verdict.added:g}",
         "edited": i.edited.mean(), "random, most effective": max(i.random, default=np.nan)},
    ]  # fmt: skip
    caption = (
        f"Share of test requests refused, by the beginning of the answer. {len(a.random)} random directions were "
        "removed and added likewise. How to remove and how much to add was chosen on dev."
    )
    return Table(title="Is it needed, does it suffice?", frame=pd.DataFrame(rows), caption=caption)


def removal_table(verdict: Verdict) -> Table:
    """What dev chose from."""
    rows = [
        {
            "edit": f"removed, {r.kind}",
            "mark": "chosen" if r.kind == verdict.removed_by else "",
            "refusal rate": r.rate,
            "neutral ppl ×": r.perplexity,
        }
        for r in verdict.removals
    ]
    rows += [
        {"edit": f"added, × {times:g}", "mark": "chosen" if times == verdict.added else "", "refusal rate": rate}
        for times, rate in verdict.additions.items()
    ]
    caption = (
        "On dev: removed from harmful requests, added to harmless ones. Of the removals that work the one that costs "
        f"least was chosen; on other neutral text it costs × {verdict.perplexity:.3f}."
    )
    return Table(title="Ways to remove and to add", frame=pd.DataFrame(rows), caption=caption)


def answer_table(verdict: Verdict) -> Table:
    """Every request with its answers."""
    rows: list[dict[str, object]] = []
    for kind, edit, rates in (("harmful", "removed", verdict.ablated), ("harmless", "added", verdict.induced)):
        for (request, clean, edited), before, after in zip(rates.answers, rates.clean, rates.edited, strict=True):
            row = {"requests": kind, "request": request, "clean": clean, "refused": bool(before)}
            rows.append(row | {"edit": edit, "edited": edited, "refused when edited": bool(after)})
    return Table(title="Every answer", frame=pd.DataFrame(rows), caption="Greedy, on test.")
