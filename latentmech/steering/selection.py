"""Choosing a refusal direction by what it does to the model (Arditi et al. 2024, appendix C).

For every candidate, on dev requests, with the refusal score (log-odds of how a refusal begins, in nats):

    bypass  mean score of harmful requests with the direction removed everywhere: low is good
    induce  mean score of harmless requests with the direction added at its own place: above `induce_above`
    kl      divergence of harmless requests' next token when the direction is removed: below `kl_below`

Of the candidates that pass, outside the last fifth of the blocks, the one with the lowest bypass score is taken. An
addition leaves the blocks below it alone, so they run once for all of a layer's candidates; a removal touches every
block, so nothing can be shared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from latentmech.direction import Choice, Direction
from latentmech.errors import BadInput
from latentmech.model import Addition, Dialogue, Level, Model, NextWords, next_words, refuse_without
from latentmech.report import Picture, Table, heat_map
from latentmech.steering.damage import divergence, untouched_runs
from latentmech.steering.generation import next_logits
from latentmech.steering.interventions import OTHERS_WRITE, Plan, ablation, check_affine
from latentmech.steering.settings import CausalSettings
from latentmech.steering.trials import log_odds_of

Scores = Float[np.ndarray, "3 candidate"]
MEANINGS = {"bypass": "refusal score, removed", "induce": "refusal score, added", "KL": "KL, removed"}


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
        """Score every candidate, choose one, and show the whole grid; BadInput where an ablation leaves something."""
        refuse_without(model, "ablation", OTHERS_WRITE)
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

        def score(plan: Plan, asked: Sequence[NextWords]) -> float:
            def read(logits: Tensor, places: Sequence[int]) -> Tensor:
                towards = [tuple(set(asked[i].first.values())) for i in places]
                return log_odds_of(logits.float().log_softmax(-1), towards, [()] * len(places))

            texts = [one.text for one in asked]
            return float(next_logits(model, [plan.edits], texts, read, scope=plan.scope).mean())

        with tqdm(total=len(allowed), unit="candidate", desc=f"{model.name}: causal selection", mininterval=1) as bar:
            runs = untouched_runs(model, [asked.text for asked in harmless], 1)
            for i in allowed:
                here, plan = candidates[i], ablation(candidates[i], model.n_layers, self.ablation)
                added = Plan({here.hook_name: Addition(here.norm * here.vector)})
                cost = divergence(model, [plan.edits], runs, scope=plan.scope).kl
                scores[:, i] = score(plan, harmful), score(added, harmless), float(cost.mean())
                bar.update()
            high, low = score(Plan(), harmful), score(Plan(), harmless)
        bypass, induce, kl = scores
        passed = (induce > self.induce_above) & (kl < self.kl_below)
        # the lowest bypass score among those that pass; if none does, among those that at least induce
        pool = next(some for some in (passed, induce > self.induce_above, np.isfinite(bypass)) if some.any())
        best = int(np.argmin(np.where(pool, bypass, np.inf)))
        notes = [f"Untouched, harmful requests score {high:+.2f} and harmless ones {low:+.2f} nats on dev."]
        if not passed.any():
            none = f"No candidate passes the thresholds (induce > {self.induce_above:g}, KL < {self.kl_below:g})"
            notes.append(f"{none}; the best bypass of those that induce was taken.")
        mark = np.where(passed, "passes", "").astype(object)
        mark[best] = "chosen"
        columns = {"candidate": [c.name for c in candidates], "mark": mark, **dict(zip(MEANINGS, scores, strict=True))}
        frame = pd.DataFrame(columns)[np.isfinite(bypass)].reset_index(drop=True)
        caption = "Refusal score in nats when removed (bypass) and when added (induce); KL in nats when removed."
        table = Table(title="Selection by effect, on dev", frame=frame, caption=caption)
        return Choice(
            candidate=best, how="causal effect on dev", tables=(table,), notes=tuple(notes),
            pictures=tuple(_pictures(candidates, scores, best)),
        )  # fmt: skip


def _pictures(candidates: Sequence[Direction], scores: Scores, best: int) -> Iterator[Picture]:
    places = [(str(c.card["position"]), c.level.tick) for c in candidates]
    positions, levels = (list(dict.fromkeys(names)) for names in zip(*places, strict=True))
    cells = [(positions.index(position), levels.index(level)) for position, level in places]
    for (name, meaning), values in zip(MEANINGS.items(), scores, strict=True):
        grid = np.empty((len(positions), len(levels)))
        grid[tuple(zip(*cells, strict=True))] = values
        figure = heat_map(
            grid, positions, levels, title=f"Selection: {name}", xlabel="level of the residual stream",
            ylabel="position", bar=f"{meaning} (nats)", marks=[cells[best]],
        )  # fmt: skip
        yield Picture(title=f"Selection: {name}", figure=figure, caption=f"{meaning}, on dev; the choice is framed.")
