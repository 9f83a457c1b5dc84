"""Does the model need the direction to show the behaviour, and does the direction suffice to bring it about?

The behaviour is counted in answers: on texts that call for it, clean and with the direction removed; on texts that do
not, clean and with it added (Arditi et al. 2024, sections 3.1 and 3.2). How it is removed and how much is added is
chosen on dev; test is answered once, and by random directions treated likewise: removed in the way that was chosen, and
added as often at the same length.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from latentmech.data import Contrast
from latentmech.direction import Direction
from latentmech.model import Model, Scope, dialogues
from latentmech.statistics import Estimate, Lead, clusters_of, estimate, leads, mean_of
from latentmech.steering.ablations import Plan, ablation
from latentmech.steering.damage import neutral_perplexity
from latentmech.steering.generation import completions
from latentmech.steering.interventions import Addition
from latentmech.steering.refusals import is_refusal, requests
from latentmech.steering.settings import ABLATIONS, NecessitySettings

Made = Callable[[Direction, int], Sequence[Direction]]


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One way to remove the direction: the behaviour's rate on dev, and what it costs.

    Attributes:
        rate: share of dev texts with the behaviour that still show it.
        perplexity: of a neutral text, as a multiple of the untouched model's.
    """

    kind: str
    rate: float
    perplexity: float


@dataclass(frozen=True, kw_only=True)
class TextRates:
    """Shares of answers that show the behaviour.

    Attributes:
        clean: by the untouched model.
        edited: by the edited one.
        random: by each random direction, by the kind of these.
        ahead: how much more the direction changes the share than each of them does, by kind.
        answers: `(request, clean answer, edited answer)`.
        shown: whether each of these answers shows the behaviour.
    """

    clean: Estimate
    edited: Estimate
    random: Mapping[str, Sequence[float]]
    ahead: Mapping[str, Sequence[Lead]]
    answers: Sequence[tuple[str, str, str]]
    shown: Sequence[tuple[bool, bool]]


@dataclass(frozen=True, kw_only=True)
class NecessityFindings:
    """What `Necessity` found.

    Attributes:
        removals: every kind of removal, on dev.
        removed_by: the one chosen: of those that bring the rate down to `enough`, the one that costs least.
        additions: rate on dev by how often the direction's own length was added.
        added: the smallest of these that suffices.
        ablated: on test texts that call for the behaviour.
        induced: on test texts that do not.
        perplexity: of the neutral text after the chosen removal, on other documents than those it was chosen by.
    """

    removals: Sequence[Removal]
    removed_by: str
    additions: Mapping[float, float]
    added: float
    ablated: TextRates
    induced: TextRates
    perplexity: float


@dataclass(frozen=True, kw_only=True)
class Necessity(NecessitySettings):
    """The test; see `NecessitySettings`."""

    def __call__(
        self, model: Model, direction: Direction, contrast: Contrast, random: Made, isotropic: Made, draws: int
    ) -> NecessityFindings:
        """Choose on dev, count on test.

        Args:
            random: makes so many directions without meaning in the direction's place, drawn as the states vary.
            isotropic: the same, from the sphere.
            draws: bootstrap resamples of groups.
        """
        asker = _Asker(model, contrast, bool(direction.card.get("chat_template", True)), direction.card.get("system"))
        others = {"random": random(direction, self.n_random), "isotropic": isotropic(direction, self.n_isotropic)}
        work = (len(ABLATIONS) + len(self.additions)) * self.dev_limit
        with tqdm(total=None, unit="answer", desc=f"{model.name}: answers, {work} on dev first", mininterval=1) as bar:
            asker.progress, asker.n_tokens, asker.draws = bar.update, self.n_tokens, draws
            removals = [self._removal(asker, direction, kind) for kind in ABLATIONS if _possible(direction, kind)]
            chosen = best_removal(removals, self.enough)
            dev = asker.texts("negative", "dev", self.dev_limit)
            rates = {times: float(asker.shows(_added(direction, times), dev).mean()) for times in self.additions}
            added = next((a for a, rate in sorted(rates.items()) if rate >= 1 - self.enough), max(rates, key=rates.get))  # type: ignore[arg-type]
            ablated = asker.rates(
                lambda one: ablation(one, model.n_layers, chosen), direction, others, "positive", self.test_limit
            )
            induced = asker.rates(lambda one: _added(one, added), direction, others, "negative", self.test_limit)
        return NecessityFindings(
            removals=removals,
            removed_by=chosen,
            additions=rates,
            added=added,
            ablated=ablated,
            induced=induced,
            perplexity=_factor(model, ablation(direction, model.n_layers, chosen), self.neutral_words, seed=1),
        )

    def _removal(self, asker: "_Asker", direction: Direction, kind: str) -> Removal:
        plan = ablation(direction, asker.model.n_layers, kind)
        rate = float(asker.shows(plan, asker.texts("positive", "dev", self.dev_limit)).mean())
        return Removal(kind=kind, rate=rate, perplexity=_factor(asker.model, plan, self.neutral_words, seed=0))


def best_removal(removals: Sequence[Removal], enough: float) -> str:
    """Of the removals that are good enough the one that costs least; if none is, the most effective one."""
    good = [removal for removal in removals if removal.rate <= enough]
    if good:
        return min(good, key=lambda removal: removal.perplexity).kind
    return min(removals, key=lambda removal: (removal.rate, removal.perplexity)).kind


class _Asker:
    """Puts texts to variants of one model and counts answers."""

    def __init__(self, model: Model, contrast: Contrast, chat_template: bool, system: str | None):
        self.model = model
        self.contrast = contrast
        self.rendering = {"chat_template": chat_template, "system": system}
        self.progress: Callable[[int], object] = int
        self.n_tokens = 16
        self.draws = 1000

    def texts(self, kind: str, split: str, limit: int | None) -> tuple[str, ...]:
        return requests(self.contrast, kind, split, limit)

    def answers(self, plan: Plan, texts: Sequence[str]) -> list[str]:
        given = [d.text for d in dialogues(self.model, texts, **self.rendering)]  # type: ignore[arg-type]
        return completions(self.model, [plan.edits], given, self.n_tokens, scope=plan.scope, progress=self.progress)[0]

    def shows(self, plan: Plan, texts: Sequence[str]) -> Float[np.ndarray, " text"]:
        return _shown(self.answers(plan, texts))

    def rates(
        self,
        plan: Callable[[Direction], Plan],
        direction: Direction,
        others: Mapping[str, Sequence[Direction]],
        kind: str,
        limit: int | None,
    ) -> TextRates:
        """On test texts of one kind, by the untouched model, under the direction's plan and under every other's."""
        texts = self.texts(kind, "test", limit)
        part = self.contrast.in_split("test")
        clusters = clusters_of((part.positive if kind == "positive" else part.negative).groups[: len(texts)])
        clean, edited = (self.answers(one, texts) for one in (Plan({}, Scope()), plan(direction)))
        random = {name: [self.shows(plan(one), texts) for one in some] for name, some in others.items()}
        before, after, sense = _shown(clean), _shown(edited), 1 if kind == "negative" else -1
        changed = mean_of(sense * (after - before), clusters, -1.0, 1.0)
        theirs = {n: [mean_of(sense * (s - before), clusters, -1.0, 1.0) for s in some] for n, some in random.items()}
        return TextRates(
            clean=estimate(mean_of(before, clusters, 0.0, 1.0), self.draws),
            edited=estimate(mean_of(after, clusters, 0.0, 1.0), self.draws),
            random={name: [float(shown.mean()) for shown in some] for name, some in random.items() if some},
            ahead={
                n: leads(changed, {f"{i}": t for i, t in enumerate(some)}, self.draws) for n, some in theirs.items()
            },
            answers=list(zip(texts, clean, edited, strict=True)),
            shown=list(zip(before.astype(bool).tolist(), after.astype(bool).tolist(), strict=True)),
        )


def _shown(answers: Sequence[str]) -> Float[np.ndarray, " text"]:
    return np.array([is_refusal(answer) for answer in answers], dtype=float)


def _added(direction: Direction, times: float) -> Plan:
    return Plan({direction.hook_name: Addition(times * direction.norm * direction.vector)}, Scope())


def _possible(direction: Direction, kind: str) -> bool:
    return kind != "affine" or bool(direction.negative_means)


def _factor(model: Model, plan: Plan, words: int, seed: int) -> float:
    """Perplexity of a neutral text as a multiple of the untouched model's."""
    clean, edited = neutral_perplexity(model, [{}, plan.edits], words, scope=plan.scope, seed=seed)
    return edited / clean
