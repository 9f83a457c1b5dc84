"""`DirectionStudy`: which direction tells two sets of texts apart, and what of that chance and surface explain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from latentmech.activations import Activations, ActivationStore
from latentmech.data import bundled_pairs, cross_split_duplicates, said
from latentmech.direction.account import account_of
from latentmech.direction.audit import audit
from latentmech.direction.candidates import DirectionCandidate, Search
from latentmech.direction.card import card_of, direction_of, of_the_level
from latentmech.direction.evaluation import Evaluation
from latentmech.direction.findings import DirectionFindings
from latentmech.direction.folds import folds_of
from latentmech.direction.methods import described, method_of
from latentmech.direction.nulls import exchanges
from latentmech.direction.parts import Parts, Rows
from latentmech.direction.positions import placed, rendered
from latentmech.direction.reading import Reading, median_norms
from latentmech.direction.relatives import Foreign, Relative, Transfer, cosines, transfer
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
        folds, exchanged = folds_of(parts, self.seed), exchanges(parts, self.shuffles, self.seed)
        search = Search(
            method=method, parts=parts, folds=folds, exchanges=exchanged, random_draws=self.random_draws, seed=self.seed
        )
        candidates = list(search(activations, levels, positions))
        norms = median_norms(model, store, levels)
        choice = self._choose(model, candidates, norms, texts, parts)
        best, rows_of = candidates[choice.candidate], _reader(activations, candidates, positions)
        seen, rows = visible(contrast.joint), rows_of(choice.candidate)
        evaluation = Evaluation(
            method=method, parts=parts, folds=folds, exchanges=exchanged, candidates=candidates, rows_of=rows_of,
            allowed=in_blocks(candidates) if self.selection is None else [choice.candidate],
            texts=seen, draws=self.draws,
        )  # fmt: skip
        left_out = evaluation(choice.candidate)
        checked = audit(method, seen, parts, rows, best.vector, draws=self.draws, seed=self.seed)
        stable = stability(method, parts, rows, self.halvings, self.seed)
        sizes = {split: len(parts.within(split)) for split in ("train", "dev", "test")}
        reading = self.reading(best.position)
        scored = of_the_level(best, choice.how, left_out, checked.test, stable)
        card = card_of(self.called, model, reading, contrast, sizes, seed=self.seed, **scored)
        direction = direction_of(candidates, choice.candidate, norms, card)
        summary, cites = described(method)
        findings = DirectionFindings(
            called=self.called, site=self.site, method=self.method, summary=summary, cites=cites, contrast=contrast,
            copies=cross_split_duplicates(said(contrast.joint)), sizes=sizes,
            train_groups=len(set(parts.group[parts.within("train")].tolist())), folds=len(folds),
            anew=self.selection is None, positions=positions, candidates=candidates, choice=choice,
            direction=direction, left_out=left_out, audit=checked, stability=stable, halvings=self.halvings,
            exports={} if self.push is None else {"hub": partial(pushed, direction, self.push)},
        )  # fmt: skip
        findings = replace(findings, relatives=self._relatives(reading, findings, model, store))
        findings = replace(findings, transfers=self._transfers(reading, findings, model, store))
        if self.observer is not None:
            findings = replace(findings, shown=self.observer(model, *_of_kinds(texts, parts, "test")))
        return findings

    def _choose(
        self,
        model: Model,
        candidates: Sequence[DirectionCandidate],
        norms: Mapping[str, float],
        texts: Sequence[Dialogue],
        parts: Parts,
    ) -> Choice:
        if self.selection is None:
            return by_separation(candidates)
        directions = [direction_of(candidates, i, norms, {"name": c.name}) for i, c in enumerate(candidates)]
        positive, negative = _of_kinds(texts, parts, "dev")
        return self.selection(model, directions, positive, negative)

    def _relatives(
        self, reading: Reading, findings: DirectionFindings, model: Model, store: ActivationStore
    ) -> list[Relative]:
        if not self.compare:
            return []
        names = [name for name in bundled_pairs() if self.data.path is not None or name != self.data.name]
        own, whole = findings.direction, findings.stability.whole
        return cosines(reading, own, whole, names, self.halvings, self.seed, model, store)

    def _transfers(
        self, reading: Reading, findings: DirectionFindings, model: Model, store: ActivationStore
    ) -> list[Transfer]:
        others = [Foreign.at(where, self.data.positive) for where in self.transfer]
        own, scores = findings.direction, findings.audit.scores
        return [transfer(reading, own, findings.contrast, scores, one, self.draws, model, store) for one in others]


def _reader(
    activations: Activations, candidates: Sequence[DirectionCandidate], positions: Sequence[str]
) -> Callable[[int], Rows]:
    """The rows of a candidate, read from the disk."""

    def rows_of(place: int) -> Rows:
        one = candidates[place]
        every = activations.level(one.level.hook_name).view(-1, len(positions), activations.d_model)
        return every[:, positions.index(one.position)]

    return rows_of


def _of_kinds(texts: Sequence[Dialogue], parts: Parts, split: str) -> tuple[list[Dialogue], list[Dialogue]]:
    """The positive and the negative texts of one split."""
    places = parts.within(split)
    return [texts[i] for i in places if parts.positive[i]], [texts[i] for i in places if not parts.positive[i]]
