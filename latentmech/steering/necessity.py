"""Does the model need the direction to show the behaviour, and does the direction suffice to bring it about?

The behaviour is counted in answers: on texts that call for it, clean and with the direction removed; on texts that do
not, clean and with it added (Arditi et al. 2024, sections 3.1 and 3.2). How it is removed and how much is added is
chosen on dev; test is answered once, and by random directions treated likewise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from latentmech.data import Contrast
from latentmech.direction import Direction
from latentmech.model import Model, Scope, dialogues
from latentmech.steering.ablations import KINDS, Plan, ablation
from latentmech.steering.damage import neutral_perplexity
from latentmech.steering.generation import completions
from latentmech.steering.interventions import Addition
from latentmech.steering.refusals import is_refusal, requests


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
class Rates:
    """Shares of answers that show the behaviour, answer by answer.

    Attributes:
        clean: by the untouched model.
        edited: by the edited one.
        random: by each random direction.
        answers: `(request, clean answer, edited answer)`.
    """

    clean: Float[np.ndarray, " text"]
    edited: Float[np.ndarray, " text"]
    random: Sequence[float]
    answers: Sequence[tuple[str, str, str]]
    groups: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
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
    ablated: Rates
    induced: Rates
    perplexity: float


@dataclass(frozen=True, kw_only=True)
class Necessity:
    """Settings of the test.

    Attributes:
        additions: multiples of the direction's own length that are tried on dev.
        enough: a rate on dev below which a removal, and one minus which an addition, is good enough.
        n_random: random directions that are treated likewise.
        dev_limit: dev texts of either kind that choices are made on.
        test_limit: test texts of either kind; None takes all.
        n_tokens: length of an answer.
        neutral_words: of the text whose perplexity is taken.
    """

    additions: Sequence[float] = (1.0, 1.5, 2.0, 3.0)
    enough: float = 0.1
    n_random: int = 10
    dev_limit: int = 40
    test_limit: int | None = None
    n_tokens: int = 12
    neutral_words: int = 1500

    def __call__(
        self, model: Model, direction: Direction, contrast: Contrast, random: Float[Tensor, "draw d_model"]
    ) -> Verdict:
        """Choose on dev, count on test."""
        asker = _Asker(model, contrast, bool(direction.card.get("chat_template", True)), direction.card.get("system"))
        random = random[: self.n_random]
        work = (len(KINDS) + len(self.additions)) * self.dev_limit
        with tqdm(total=None, unit="answer", desc=f"{model.name}: answers, {work} on dev first", mininterval=1) as bar:
            asker.progress, asker.n_tokens = bar.update, self.n_tokens
            removals = [self._removal(asker, direction, kind) for kind in KINDS if _possible(direction, kind)]
            chosen = best_removal(removals, self.enough)
            dev = asker.texts("negative", "dev", self.dev_limit)
            rates = {a: asker.rate([_addition(direction, direction.vector, a)], dev)[0] for a in self.additions}
            added = next((a for a, rate in sorted(rates.items()) if rate >= 1 - self.enough), max(rates, key=rates.get))  # type: ignore[arg-type]
            ablated = self._ablated(asker, direction, chosen, random)
            induced = self._induced(asker, direction, added, random)
        plan = ablation(direction, model.n_layers, chosen)
        return Verdict(
            removals=removals,
            removed_by=chosen,
            additions=rates,
            added=added,
            ablated=ablated,
            induced=induced,
            perplexity=_factor(model, plan, self.neutral_words, seed=1),
        )

    def _removal(self, asker: "_Asker", direction: Direction, kind: str) -> Removal:
        plan = ablation(direction, asker.model.n_layers, kind)
        rate = asker.rate([plan], asker.texts("positive", "dev", self.dev_limit))[0]
        return Removal(kind=kind, rate=rate, perplexity=_factor(asker.model, plan, self.neutral_words, seed=0))

    def _ablated(
        self, asker: "_Asker", direction: Direction, kind: str, random: Float[Tensor, "draw d_model"]
    ) -> Rates:
        """Removed from test texts that call for the behaviour; a random direction has no class mean to go to."""
        bare = "plain" if kind == "plain" else "sink_aware"
        own = ablation(direction, asker.model.n_layers, kind)
        others = [ablation(_like(direction, vector), asker.model.n_layers, bare) for vector in random]
        return asker.rates(own, others, "positive", self.test_limit)

    def _induced(
        self, asker: "_Asker", direction: Direction, times: float, random: Float[Tensor, "draw d_model"]
    ) -> Rates:
        own, *others = (_addition(direction, vector, times) for vector in (direction.vector, *random))
        return asker.rates(own, others, "negative", self.test_limit)


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

    def texts(self, kind: str, split: str, limit: int | None) -> tuple[str, ...]:
        return requests(self.contrast, kind, split, limit)

    def answers(self, plan: Plan, texts: Sequence[str]) -> list[str]:
        given = [d.text for d in dialogues(self.model, texts, **self.rendering)]  # type: ignore[arg-type]
        return completions(self.model, [plan.edits], given, self.n_tokens, scope=plan.scope, progress=self.progress)[0]

    def rate(self, plans: Sequence[Plan], texts: Sequence[str]) -> list[float]:
        return [float(np.mean([is_refusal(a) for a in self.answers(plan, texts)])) for plan in plans]

    def rates(self, own: Plan, others: Sequence[Plan], kind: str, limit: int | None) -> Rates:
        texts = self.texts(kind, "test", limit)
        part = self.contrast.in_split("test")
        groups = (part.positive if kind == "positive" else part.negative).groups[: len(texts)]
        clean, edited = (self.answers(plan, texts) for plan in (Plan({}, Scope()), own))
        return Rates(
            clean=np.array([is_refusal(a) for a in clean], dtype=float),
            edited=np.array([is_refusal(a) for a in edited], dtype=float),
            random=self.rate(others, texts),
            answers=list(zip(texts, clean, edited, strict=True)),
            groups=groups,
        )


def _addition(direction: Direction, vector: Float[Tensor, " d_model"], times: float) -> Plan:
    return Plan({direction.hook_name: Addition(times * direction.norm * vector)}, Scope())


def _like(direction: Direction, vector: Float[Tensor, " d_model"]) -> Direction:
    """A random vector in the direction's place."""
    return Direction(
        hook_name=direction.hook_name,
        vectors={direction.hook_name: vector},
        positive_means={},
        negative_means={},
        norms=direction.norms,
        resid_norms=direction.resid_norms,
        card={"name": "random"},
    )


def _possible(direction: Direction, kind: str) -> bool:
    return kind != "affine" or bool(direction.negative_means)


def _factor(model: Model, plan: Plan, words: int, seed: int) -> float:
    """Perplexity of a neutral text as a multiple of the untouched model's."""
    clean, edited = neutral_perplexity(model, [{}, plan.edits], words, scope=plan.scope, seed=seed)
    return edited / clean
