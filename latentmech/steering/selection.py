"""Choosing a refusal direction by what it does to the model (Arditi et al. 2024, appendix C).

For every candidate, on dev requests, with the refusal score (log-odds of how a refusal begins, in nats):

    bypass  mean score of harmful requests with the direction removed everywhere: low is good
    induce  mean score of harmless requests with the direction added at its own place: above `induce_above`
    kl      divergence of harmless requests' next token when the direction is removed: below `kl_below`

Of the candidates that pass, outside the last fifth of the blocks, the one with the lowest bypass score is taken. An
addition leaves the blocks below it alone, so they run once for all of a layer's candidates; a removal touches every
block, so nothing can be shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor
from tqdm import tqdm

from latentmech.direction import Choice, Direction
from latentmech.errors import BadInput
from latentmech.model import Dialogue, Level, Model, NextWords, Scope, next_words
from latentmech.report import Picture, Table, heat_map
from latentmech.steering.ablations import ablation, check_affine
from latentmech.steering.damage import divergence, untouched_runs
from latentmech.steering.generation import EVERYWHERE, Variant, next_logits
from latentmech.steering.interventions import Addition
from latentmech.steering.settings import CausalSettings
from latentmech.steering.trials import log_odds_of


@dataclass(frozen=True, kw_only=True)
class CausalSelection(CausalSettings):
    """Scores every candidate and chooses one; see `CausalSettings`."""

    def check(self, model: Model, levels: Sequence[Level]) -> None:
        """Refuse levels that an affine ablation has too few class means from."""
        if self.ablation == "affine":
            check_affine([level.hook_name for level in levels], model.n_layers)

    def __call__(
        self, model: Model, candidates: Sequence[Direction], positive: Sequence[Dialogue], negative: Sequence[Dialogue]
    ) -> Choice:
        """Score every candidate, choose one, and show the whole grid."""
        harmful, harmless = (
            next_words(model, [d.opening for d in some], [self.phrases] * len(some))
            for some in (positive[: self.limit], negative[: self.limit])
        )
        allowed = [
            i for i, c in enumerate(candidates) if c.layer is not None and c.layer < (1 - self.prune) * model.n_layers
        ]
        if not allowed:
            raise BadInput(f"selection.prune={self.prune:g} leaves no candidate; set direction.layers=all or lower it")
        scores = np.full((3, len(candidates)), np.nan)
        ask = _Asking(model)
        with tqdm(total=len(allowed), unit="candidate", desc=f"{model.name}: causal selection", mininterval=1) as bar:
            runs = untouched_runs(model, [asked.text for asked in harmless], 1)
            for i in allowed:
                plan = ablation(candidates[i], model.n_layers, self.ablation)
                added = {candidates[i].hook_name: Addition(candidates[i].norm * candidates[i].vector)}
                scores[0, i] = ask(plan.edits, harmful, plan.scope)
                scores[1, i] = ask(added, harmless)
                scores[2, i] = float(divergence(model, [plan.edits], runs, scope=plan.scope).kl.mean())
                bar.update()
        return self._choice(candidates, scores, ask({}, harmful), ask({}, harmless))

    def _choice(self, candidates: Sequence[Direction], scores: np.ndarray, harmful: float, harmless: float) -> Choice:
        """The lowest bypass score among those that pass; if none does, among those that at least induce."""
        bypass, induce, kl = scores
        passed = (induce > self.induce_above) & (kl < self.kl_below)
        pool = np.flatnonzero(
            next(some for some in (passed, induce > self.induce_above, np.isfinite(bypass)) if some.any())
        )
        best = int(pool[np.argmin(bypass[pool])])
        notes = [f"Untouched, harmful requests score {harmful:+.2f} and harmless ones {harmless:+.2f} nats on dev."]
        if not passed.any():
            limits = f"induce > {self.induce_above:g}, KL < {self.kl_below:g}"
            notes.append(
                f"No candidate passes the thresholds ({limits}); the best bypass of those that induce was taken."
            )
        return Choice(
            candidate=best,
            how="causal effect on dev",
            tables=(_table(candidates, scores, passed, best),),
            pictures=_pictures(candidates, scores, best),
            notes=tuple(notes),
        )


@dataclass(frozen=True)
class _Asking:
    """Mean refusal score of requests under an edit."""

    model: Model

    def __call__(self, edits: Variant, asked: Sequence[NextWords], scope: Scope = EVERYWHERE) -> float:
        def read(logits: Tensor, places: Sequence[int]) -> Tensor:
            towards = [tuple(set(asked[i].first.values())) for i in places]
            return log_odds_of(logits.float().log_softmax(-1), towards, [()] * len(places))

        return float(next_logits(self.model, [edits], [one.text for one in asked], read, scope=scope).mean())


def _table(candidates: Sequence[Direction], scores: np.ndarray, passed: np.ndarray, best: int) -> Table:
    rows = [
        {
            "candidate": c.name,
            "mark": "chosen" if i == best else "passes" if passed[i] else "",
            "bypass": scores[0, i],
            "induce": scores[1, i],
            "KL": scores[2, i],
        }
        for i, c in enumerate(candidates)
        if np.isfinite(scores[0, i])
    ]
    caption = "Refusal score in nats when removed (bypass) and when added (induce); KL in nats when removed."
    return Table(title="Selection by effect, on dev", frame=pd.DataFrame(rows), caption=caption)


def _pictures(candidates: Sequence[Direction], scores: np.ndarray, best: int) -> tuple[Picture, ...]:
    levels = list(dict.fromkeys(c.level.tick for c in candidates))
    positions = list(dict.fromkeys(str(c.card["position"]) for c in candidates))
    place = {(str(c.card["position"]), c.level.tick): i for i, c in enumerate(candidates)}
    names = {"bypass": "refusal score, removed", "induce": "refusal score, added", "KL": "KL, removed"}
    row, column = positions.index(str(candidates[best].card["position"])), levels.index(candidates[best].level.tick)
    found = []
    for (name, meaning), values in zip(names.items(), scores, strict=True):
        grid = np.array([[values[place[p, level]] for level in levels] for p in positions])
        figure = heat_map(
            grid, positions, levels, title=f"Selection: {name}", xlabel="level of the residual stream",
            ylabel="position", bar=f"{meaning} (nats)", marks=[(row, column)],
        )  # fmt: skip
        found.append(
            Picture(title=f"Selection: {name}", figure=figure, caption=f"{meaning}, on dev; the choice is framed.")
        )
    return tuple(found)
