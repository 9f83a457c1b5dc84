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

from latentmech.data import Contrast, Examples
from latentmech.direction import Direction
from latentmech.model import Model, Scope, dialogues
from latentmech.statistics import Estimate, Lead, Tally, clusters_of, estimate, leads, mean_of
from latentmech.steering.ablations import Plan, ablation
from latentmech.steering.damage import neutral_perplexity
from latentmech.steering.generation import completions
from latentmech.steering.interventions import Addition
from latentmech.steering.refusals import is_refusal
from latentmech.steering.settings import ABLATIONS, NecessitySettings

Made = Callable[[Direction, int], Sequence[Direction]]


@dataclass(frozen=True)
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
        ahead: how much more the direction changes the share than each of them does.
        answers: `(request, clean answer, edited answer)`.
        shown: whether each of these answers shows the behaviour.
    """

    clean: Estimate
    edited: Estimate
    random: Mapping[str, Sequence[float]]
    ahead: Sequence[Lead]
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
        others = {"random": random(direction, self.n_random), "isotropic": isotropic(direction, self.n_isotropic)}
        with tqdm(total=None, unit="answer", desc=f"{model.name}: answers", mininterval=1) as bar:
            asked = _Asked(self, model, contrast, direction, others, draws, bar.update)
            removals = [asked.removal(kind) for kind in ABLATIONS if kind != "affine" or direction.negative_means]
            chosen = best_removal(removals, self.enough)
            dev = asked.texts("negative", "dev", self.dev_limit).texts
            rates = {times: float(asked.shows(_added(direction, times), dev).mean()) for times in self.additions}
            added = next((a for a, rate in sorted(rates.items()) if rate >= 1 - self.enough), max(rates, key=rates.get))  # type: ignore[arg-type]
            ablated = asked.rates(lambda one: ablation(one, model.n_layers, chosen), "positive")
            induced = asked.rates(lambda one: _added(one, added), "negative")
        return NecessityFindings(
            removals=removals, removed_by=chosen, additions=rates, added=added, ablated=ablated, induced=induced,
            perplexity=_factor(model, ablation(direction, model.n_layers, chosen), self.neutral_words, seed=1),
        )  # fmt: skip


def best_removal(removals: Sequence[Removal], enough: float) -> str:
    """Of the removals that are good enough the one that costs least; if none is, the most effective one."""
    good = [removal for removal in removals if removal.rate <= enough]
    if good:
        return min(good, key=lambda removal: removal.perplexity).kind
    return min(removals, key=lambda removal: (removal.rate, removal.perplexity)).kind


@dataclass(frozen=True)
class _Asked:
    """Puts texts to variants of one model and counts answers."""

    settings: NecessitySettings
    model: Model
    contrast: Contrast
    direction: Direction
    others: Mapping[str, Sequence[Direction]]
    draws: int
    progress: Callable[[int], object]

    def texts(self, kind: str, split: str, limit: int | None) -> Examples:
        part = self.contrast.in_split(split)
        examples = part.positive if kind == "positive" else part.negative
        return examples.select(range(len(examples))[:limit])

    def answers(self, plan: Plan, texts: Sequence[str]) -> list[str]:
        card = self.direction.card
        rendered = dialogues(
            self.model, texts, chat_template=bool(card.get("chat_template", True)), system=card.get("system")
        )
        return completions(
            self.model, [plan.edits], [one.text for one in rendered], self.settings.n_tokens, scope=plan.scope,
            progress=self.progress,
        )[0]  # fmt: skip

    def shows(self, plan: Plan, texts: Sequence[str]) -> Float[np.ndarray, " text"]:
        return _refused(self.answers(plan, texts))

    def removal(self, kind: str) -> Removal:
        plan = ablation(self.direction, self.model.n_layers, kind)
        rate = float(self.shows(plan, self.texts("positive", "dev", self.settings.dev_limit).texts).mean())
        return Removal(kind, rate, _factor(self.model, plan, self.settings.neutral_words, seed=0))

    def rates(self, plan: Callable[[Direction], Plan], kind: str) -> TextRates:
        """On test texts of one kind, by the untouched model, under the direction's plan and under every other's."""
        examples = self.texts(kind, "test", self.settings.test_limit)
        clusters, sense = clusters_of(examples.groups), 1 if kind == "negative" else -1
        clean, edited = (self.answers(one, examples.texts) for one in (Plan({}, Scope()), plan(self.direction)))
        before, after = _refused(clean), _refused(edited)
        random = {name: [self.shows(plan(one), examples.texts) for one in some] for name, some in self.others.items()}

        def changed(shown: Float[np.ndarray, " text"]) -> Tally:
            return mean_of(sense * (shown - before), clusters, -1.0, 1.0)

        return TextRates(
            clean=estimate(mean_of(before, clusters, 0.0, 1.0), self.draws),
            edited=estimate(mean_of(after, clusters, 0.0, 1.0), self.draws),
            random={name: [float(shown.mean()) for shown in some] for name, some in random.items() if some},
            ahead=[
                leads(changed(after), {name: changed(shown)}, self.draws)[0]
                for name, some in random.items()
                for shown in some
            ],
            answers=list(zip(examples.texts, clean, edited, strict=True)),
            shown=list(zip(before.astype(bool).tolist(), after.astype(bool).tolist(), strict=True)),
        )


def _refused(answers: Sequence[str]) -> Float[np.ndarray, " text"]:
    return np.array([is_refusal(answer) for answer in answers], dtype=float)


def _added(direction: Direction, times: float) -> Plan:
    return Plan({direction.hook_name: Addition(times * direction.norm * direction.vector)}, Scope())


def _factor(model: Model, plan: Plan, words: int, seed: int) -> float:
    """Perplexity of a neutral text as a multiple of the untouched model's."""
    clean, edited = neutral_perplexity(model, [{}, plan.edits], words, scope=plan.scope, seed=seed)
    return edited / clean
