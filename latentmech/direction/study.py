"""`DirectionStudy`: which direction tells two sets of texts apart, and what of that chance and surface explain."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from latentmech.activations import ActivationStore
from latentmech.data import Pairs
from latentmech.direction.audit import audit
from latentmech.direction.candidates import Candidate, Parts, Search, by_position
from latentmech.direction.card import direction_of, with_card
from latentmech.direction.findings import Findings
from latentmech.direction.methods import method_of
from latentmech.direction.norms import median_norms
from latentmech.direction.positions import RULES, check_rules, placed, rendered
from latentmech.direction.presentation import present
from latentmech.direction.relatives import check_transfer, cosines, transfers
from latentmech.direction.selection import Choice, Observer, Selection, by_separation
from latentmech.direction.stability import stability
from latentmech.errors import BadInput
from latentmech.model import Dialogue, Model, levels_of
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class DirectionStudy:
    """A behaviour direction, chosen on dev over layers and positions and read once on test.

    Attributes:
        data: the contrasted texts.
        name: what the direction is called; by default as the data are.
        positions: where it is read: `last`, `post_instruction`, `prompt_mean`, `response_mean`, `marked`, `letter`;
            each of several is a candidate.
        method: `difference_of_means`, `pca_of_differences`, `lda`, `logistic` or `leace`.
        site: hook point in every block.
        layers: `all`, or block numbers.
        chat_template: put texts into the model's chat template, if it has one.
        system: a system prompt instead of the template's own.
        selection: None takes the best separation on dev; or a causal selection.
        observer: looks whether the model shows the behaviour at all; None leaves it out.
        random_draws: random directions beside it.
        shuffles: shuffles of the training labels beside it.
        halvings: random halves of the training groups.
        compare: cosines to the directions of the other bundled sets.
        transfer: other data to read with it: bundled names or paths.
        push: a hub repository, `owner/name`, that the direction is uploaded to when the run has its results.
        draws: bootstrap resamples of groups.
        seed: of random directions, shuffles, halves and the matched sample.
    """

    data: Pairs = field(default_factory=Pairs)
    name: str | None = None
    positions: Sequence[str] = ("last",)
    method: str = "difference_of_means"
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    chat_template: bool = True
    system: str | None = None
    selection: Selection | None = None
    observer: Observer | None = None
    random_draws: int = 200
    shuffles: int = 200
    halvings: int = 20
    compare: bool = True
    transfer: Sequence[str] = ()
    push: str | None = None
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        method_of(self.method)
        levels_of(1, self.site, "all")
        if isinstance(self.positions, str) or not self.positions:
            raise BadInput(f"direction.positions={self.positions}; expected a list with some of {', '.join(RULES)}")
        check_rules(self.positions)
        if self.push is not None and not re.fullmatch(r"[^/]+/[^/]+", self.push):
            raise BadInput(f"direction.push={self.push} is no hub repository; expected owner/name")
        for where in self.transfer:
            check_transfer(where)
        for name, least in (("random_draws", 0), ("shuffles", 0), ("halvings", 0), ("draws", 100)):
            if getattr(self, name) < least:
                raise BadInput(f"direction.{name}={getattr(self, name)} is too small; expected at least {least}")

    @property
    def called(self) -> str:
        """The direction's name."""
        return self.name or (self.data.name if self.data.path is None else Path(self.data.path).stem)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find, choose on dev, read test once, and report."""
        return present(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> Findings:
        """Everything that the report is made of."""
        findings, texts = self._evaluated(model, store)
        own, contrast = findings.direction, findings.contrast
        if self.compare:
            relatives = cosines(self, own, findings.stability.whole, model, store)
            findings = replace(findings, relatives=relatives)
        findings = replace(findings, transfers=transfers(self, own, contrast, findings.best, model, store))
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
        return replace(findings, direction=with_card(self, findings, model)), texts

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
        candidates: Sequence[Candidate],
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
