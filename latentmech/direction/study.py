"""`DirectionStudy`: which direction tells two sets of texts apart, and what of that chance and surface explain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Examples, bundled_pairs, cross_split_duplicates, said
from latentmech.direction.account import account_of
from latentmech.direction.audit import audit
from latentmech.direction.candidates import DirectionCandidate, NullPlan, by_position, candidates_of
from latentmech.direction.card import card_of, direction_of, of_the_level
from latentmech.direction.evaluation import left_out
from latentmech.direction.findings import DirectionFindings
from latentmech.direction.methods import described, method_of
from latentmech.direction.positions import Reading, median_norms, placed, rendered, rows_at
from latentmech.direction.relatives import Foreign, cosines, transfer
from latentmech.direction.sample import Parts, Rows
from latentmech.direction.selection import Choice, Observer, Selection, by_separation, in_blocks
from latentmech.direction.settings import DirectionSettings
from latentmech.direction.sources import pushed
from latentmech.direction.stability import stability
from latentmech.direction.surface import visible
from latentmech.model import Dialogue, Model, levels_of
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class DirectionStudy(DirectionSettings):
    """Finds a direction, chooses it on dev, leaves topics out, and says what else tells the texts apart as well."""

    selection: Selection | None = None
    observer: Observer | None = None

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find, choose, evaluate, report."""
        return account_of(self, self.find(model, store), model)

    def reading(self, position: str) -> Reading:
        """How this study reads texts at one of its positions."""
        return Reading(self.method, position, self.site, self.layers, self.chat_template, self.system)

    def find(self, model: Model, store: ActivationStore) -> DirectionFindings:
        """Everything that the report is made of."""
        contrast, levels = self.data(), levels_of(model.n_layers, self.site, self.layers)
        if self.selection is not None:
            self.selection.check(model, levels)
        texts = rendered(model, contrast.joint, self.chat_template, self.system)
        examples, positions = placed(model, contrast.joint, texts, self.positions)
        activations = store.get(model, examples, levels, "word_mean")
        parts, method = Parts.of(contrast), method_of(self.method)
        plan = NullPlan.of(method, parts, self.shuffles, self.random_draws, self.seed)
        candidates = list(candidates_of(plan, activations, levels, positions))
        norms = median_norms(model, store, levels)
        choice = self._choose(model, candidates, norms, texts, parts)
        at, best = choice.candidate, candidates[choice.candidate]
        rows_of, seen = _reader(activations, candidates, positions), visible(contrast.joint)
        allowed = in_blocks(candidates) if self.selection is None else [at]
        worth = left_out(plan, candidates, at, allowed, rows_of, seen, self.draws)
        checked = audit(method, seen, parts, rows_of(at), best.vector, self.draws, self.seed)
        halve = partial(stability, method, repeats=self.halvings, seed=self.seed)
        stable = halve(parts, rows_of(at))
        reading = self.reading(best.position)
        scored = of_the_level(best, choice.how, worth, checked.test, stable)
        card = card_of(self.called, model, reading, contrast, seed=self.seed, **scored)
        own = direction_of(candidates, at, norms, card)

        def elsewhere(texts: Examples) -> Rows:
            return rows_at(reading, texts, own.hook_name, model, store)

        others = [name for name in bundled_pairs() if self.data.path is not None or name != self.data.name]
        names = others if self.compare else []
        foreign = [Foreign.at(name, self.data.positive) for name in self.transfer]
        return DirectionFindings(
            called=self.called, site=self.site, method=(self.method, *described(method)), contrast=contrast,
            copies=cross_split_duplicates(said(contrast.joint)), plan=plan, anew=self.selection is None,
            positions=positions, candidates=candidates, choice=choice, direction=own, left_out=worth, audit=checked,
            stability=stable, halvings=self.halvings,
            relatives=cosines(method, own, stable.whole, names, elsewhere, halve),
            transfers=[transfer(own, contrast, checked.scores, one, elsewhere, self.draws) for one in foreign],
            shown=None if self.observer is None else self.observer(model, *_of_kinds(texts, parts, "test")),
            exports={} if self.push is None else {"hub": partial(pushed, own, self.push)},
        )  # fmt: skip

    def _choose(
        self, model: Model, candidates: Sequence[DirectionCandidate], norms: Mapping[str, float],
        texts: Sequence[Dialogue], parts: Parts,
    ) -> Choice:  # fmt: skip
        if self.selection is None:
            return by_separation(candidates)
        directions = [direction_of(candidates, i, norms, {"name": c.name}) for i, c in enumerate(candidates)]
        return self.selection(model, directions, *_of_kinds(texts, parts, "dev"))


def _reader(
    activations: Activations, candidates: Sequence[DirectionCandidate], positions: Sequence[str]
) -> Callable[[int], Rows]:
    """The rows of a candidate, read from the disk."""

    def rows_of(place: int) -> Rows:
        level, position = candidates[place].level, candidates[place].position
        return by_position(activations, level, len(positions))[positions.index(position)]

    return rows_of


def _of_kinds(texts: Sequence[Dialogue], parts: Parts, split: str) -> tuple[list[Dialogue], list[Dialogue]]:
    """The positive and the negative texts of one split."""
    places = parts.within(split)
    return [texts[i] for i in places if parts.positive[i]], [texts[i] for i in places if not parts.positive[i]]
