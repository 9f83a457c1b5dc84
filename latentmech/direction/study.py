"""`DirectionStudy`: which direction tells two sets of texts apart, and what of that chance and surface explain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from latentmech.activations import ActivationStore
from latentmech.data import bundled_pairs
from latentmech.direction.audit import audit
from latentmech.direction.candidates import DirectionCandidate, Search, by_position
from latentmech.direction.card import direction_of, with_card
from latentmech.direction.findings import Findings
from latentmech.direction.methods import method_of
from latentmech.direction.norms import median_norms
from latentmech.direction.parts import Parts
from latentmech.direction.positions import placed, rendered
from latentmech.direction.presentation import present
from latentmech.direction.reading import Reading
from latentmech.direction.relatives import Foreign, cosines, transfer
from latentmech.direction.selection import Choice, Observer, Selection, by_separation
from latentmech.direction.settings import DirectionSettings
from latentmech.direction.stability import stability
from latentmech.model import Dialogue, Model, levels_of
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class DirectionStudy(DirectionSettings):
    """Finds a direction, chooses it on dev, evaluates it, and says what else tells the texts apart as well."""

    selection: Selection | None = None
    observer: Observer | None = None

    def reading(self, position: str) -> Reading:
        """How this study reads texts at one of its positions."""
        return Reading(self.method, position, self.site, self.layers, self.chat_template, self.system)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find, choose on dev, read test once, and report."""
        return present(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> Findings:
        """Everything that the report is made of."""
        findings, texts = self._evaluated(model, store)
        own, contrast = findings.direction, findings.contrast
        reading, best = self.reading(findings.best.position), findings.best
        if self.compare:
            names = [name for name in bundled_pairs() if self.data.path is not None or name != self.data.name]
            whole = findings.stability.whole
            relatives = cosines(reading, own, whole, names, self.halvings, self.seed, model, store)
            findings = replace(findings, relatives=relatives)
        found = [
            transfer(reading, own, contrast, best.test_scores, other, self.draws, model, store)
            for other in (Foreign.at(where, self.data.positive) for where in self.transfer)
        ]
        findings = replace(findings, transfers=found)
        if self.observer is not None:
            positive, negative = _of_kinds(texts, findings.parts, "test")
            findings = replace(findings, shown=self.observer(model, positive, negative))
        return findings

    def _evaluated(self, model: Model, store: ActivationStore) -> tuple[Findings, list[Dialogue]]:
        """The direction with its own evidence, and the texts as the model was given them."""
        contrast = self.data()
        levels = levels_of(model.n_layers, self.site, self.layers)
        if self.selection is not None:
            self.selection.check(model, levels)
        texts = rendered(model, contrast.joint, self.chat_template, self.system)
        examples, positions = placed(model, contrast.joint, texts, self.positions)
        activations = store.get(model, examples, levels, "word_mean")
        parts = Parts.of(contrast)
        candidates = list(self._search(parts)(activations, levels, positions))
        norms = median_norms(model, store, levels)
        choice = self._choose(model, candidates, norms, texts, parts)
        best = candidates[choice.candidate]
        rows = by_position(activations, best.level, len(positions))[:, positions.index(best.position)]
        method, draws = method_of(self.method), {"random_draws": self.random_draws, "draws": self.draws}
        findings = Findings(
            contrast=contrast,
            parts=parts,
            positions=positions,
            candidates=candidates,
            choice=choice,
            audit=audit(method, contrast, parts, rows, best, seed=self.seed, **draws),
            stability=stability(method, parts, rows, self.halvings, self.seed),
            direction=direction_of(candidates, choice.candidate, norms, {}),
        )
        return replace(
            findings, direction=with_card(self.called, self.reading(best.position), self.seed, findings, model)
        ), texts

    def _search(self, parts: Parts) -> Search:
        return Search(
            method=method_of(self.method),
            parts=parts,
            random_draws=self.random_draws,
            shuffles=self.shuffles,
            seed=self.seed,
        )

    def _choose(
        self,
        model: Model,
        candidates: Sequence[DirectionCandidate],
        norms: dict[str, float],
        texts: Sequence[Dialogue],
        parts: Parts,
    ) -> Choice:
        if self.selection is None:
            return by_separation(candidates)
        directions = [direction_of(candidates, i, norms, {"name": c.name}) for i, c in enumerate(candidates)]
        positive, negative = _of_kinds(texts, parts, "dev")
        return self.selection(model, directions, positive, negative)


def _of_kinds(texts: Sequence[Dialogue], parts: Parts, split: str) -> tuple[list[Dialogue], list[Dialogue]]:
    """The positive and the negative texts of one split."""
    places = parts.within(split)
    return [texts[i] for i in places if parts.positive[i]], [texts[i] for i in places if not parts.positive[i]]
