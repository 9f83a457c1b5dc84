"""`DirectionStudy`: which direction tells two sets of texts apart, and what of that chance and surface explain."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from latentmech.activations import ActivationStore
from latentmech.data import Contrast, Examples, bundled_pairs, cross_split_duplicates, said, without
from latentmech.direction.account import account_of
from latentmech.direction.audit import audit, cosines, transfer
from latentmech.direction.candidates import (
    DirectionCandidate,
    NullPlan,
    Observer,
    Selection,
    by_position,
    by_separation,
    candidates_of,
    in_blocks,
)
from latentmech.direction.direction import Direction
from latentmech.direction.evaluation import LeftOut, left_out
from latentmech.direction.findings import DirectionFindings
from latentmech.direction.kept import kept_by
from latentmech.direction.methods import described, method_of
from latentmech.direction.positions import Reading, median_norms, placed, rendered, rows_at
from latentmech.direction.sample import Parts, Rows, visible
from latentmech.direction.settings import DirectionSettings
from latentmech.direction.sources import pushed
from latentmech.direction.stability import Stability, stability
from latentmech.errors import BadInput
from latentmech.model import Dialogue, Model, fits, levels_of
from latentmech.report import Report
from latentmech.statistics import Estimate
from latentmech.storage import fingerprint

LICENCE = "Apache-2.0"
BIBTEX = (
    "@software{latentmech, title = {latentmech: questions about a transformer's latent space}, "
    "author = {The latentmech authors}, year = {2026}}"
)
PACKAGES = ("latentmech", "torch", "transformers", "transformer-lens")


@dataclass(frozen=True, kw_only=True)
class DirectionStudy(DirectionSettings):
    """Finds a direction, chooses it on dev, leaves topics out, and says what else tells the texts apart as well."""

    selection: Selection | None = None
    observer: Observer | None = None

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find, choose, evaluate, report."""
        model, store = store.opened(model)
        return account_of(self, self.find(model, store), model)

    def reading(self, position: str) -> Reading:
        """How this study reads texts at one of its positions."""
        return Reading(position, self.site, self.layers, self.in_template, self.system)

    def find(self, model: Model, store: ActivationStore) -> DirectionFindings:
        """Everything that the report is made of."""
        store.check_study(self)
        model, store = store.opened(model)
        contrast, levels = self._read(model), levels_of(model.n_layers, self.site, self.layers)
        if self.selection is not None:
            self.selection.check(model, levels)
        texts = rendered(model, contrast.joint, self.in_template, self.system)
        examples, positions = placed(model, contrast.joint, texts, self.read_at)
        parts, method = Parts.of(contrast), method_of(self.method)
        kept, store = kept_by(store, model, examples, levels, parts, len(positions)), store.of_rows
        activations = kept.activations
        plan = NullPlan.of(method, parts, self.shuffles, self.random_draws, self.seed, kept.places)
        candidates = list(candidates_of(plan, activations, levels, positions, kept.sums))
        norms = median_norms(model, store, levels)
        if self.selection is None:
            choice = by_separation(candidates)
        else:
            directions = [direction_of(candidates, i, norms, {"name": c.name}) for i, c in enumerate(candidates)]
            choice = self.selection(model, directions, *_of_kinds(texts, parts, "dev"))
        at, best = choice.candidate, candidates[choice.candidate]

        @lru_cache(maxsize=1)
        def rows_of(place: int) -> Rows:
            level, position = candidates[place].level, candidates[place].position
            return by_position(activations, level, len(positions))[positions.index(position)]

        seen = visible(contrast.joint)
        allowed = in_blocks(candidates) if self.selection is None else [at]
        worth = left_out(plan, candidates, at, allowed, rows_of, seen, self.draws)
        checked = audit(method, seen, parts, plan.read, rows_of(at), best.vector, self.draws, self.seed)
        halve = partial(stability, method, repeats=self.halvings, seed=self.seed)
        stable, reading = halve(parts, rows_of(at)), self.reading(best.position)
        if not best.vector.any():
            seen = f"{contrast.source}: both kinds of text have the same mean state at every place that was looked at"
            raise BadInput(f"{seen}; expected texts that differ where direction.positions reads them")
        card = self._card(model, contrast, best, choice.how, worth, checked.test, stable)
        own = direction_of(candidates, at, norms, card)

        def elsewhere(texts: Examples) -> Rows:
            return rows_at(reading, texts, own.hook_name, model, store)

        others = [name for name in bundled_pairs() if self.data.path is not None or name != self.data.name]
        names = others if self.compare else []
        label, scores = self.data.positive, checked.scores
        return DirectionFindings(
            settings=self, method=described(method), contrast=contrast, plan=plan, positions=positions,
            copies=cross_split_duplicates(said(contrast.joint)), candidates=candidates, choice=choice, direction=own,
            left_out=worth, audit=checked, stability=stable,
            relatives=cosines(method, own, stable.whole, names, elsewhere, halve),
            transfers=[transfer(own, contrast, scores, x, label, elsewhere, self.draws) for x in self.transfer],
            shown=None if self.observer is None else self.observer(model, *_of_kinds(texts, parts, "test")),
            exports={} if self.push is None else {"hub": partial(pushed, own, self.push)},
        )  # fmt: skip

    def _read(self, model: Model) -> Contrast:
        """The data, as far as the model reads them whole where they say that others are to be left out."""
        contrast = self.data()
        if self.data.too_long == "refuse":
            return contrast
        texts = [one.text for one in rendered(model, contrast.joint, self.in_template, self.system)]
        return without(contrast, ~np.array(fits(model, texts)), f"is longer than {model.name} reads")

    def _card(
        self, model: Model, contrast: Contrast, best: DirectionCandidate, how: str, own: LeftOut, test: Estimate,
        stable: Stability,
    ) -> dict[str, Any]:  # fmt: skip
        """What it takes to use the direction and to know its worth; from `layer` on, true of the chosen level alone."""
        joint, (low, high) = contrast.joint, (best.means @ best.vector).tolist()
        return {
            "name": self.called,
            "model": source_of(model),
            "site": self.site,
            "chat_template": self.in_template and bool(model.tokenizer.chat_template),
            "system": self.system,
            "data": {
                "source": contrast.source,
                "fingerprint": fingerprint([joint.texts, joint.splits, contrast.labels.tolist()]),
                "texts": {split: joint.splits.count(split) for split in ("train", "dev", "test")},
                "paired": contrast.paired,
            },
            "method": self.method,
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "licence": LICENCE,
            "bibtex": BIBTEX,
            "seed": self.seed,
            "layer": best.level.layer,
            "selection": how,
            "scores": {
                "dev_auroc": best.dev,
                "auroc": dict(vars(own.auroc)),
                "test_auroc": dict(vars(test)),
                "split_half_cosine": stable.cosine.value,
                "texts_needed_for_0.9": stable.texts_needed,
                **{f"{name}_p95": null.high for name, null in own.nulls.items()},
            },
            "projections": {"negative": low, "positive": high, "std": best.spread},
        }


def _of_kinds(texts: Sequence[Dialogue], parts: Parts, split: str) -> tuple[list[Dialogue], list[Dialogue]]:
    places = parts.within(split)
    return [texts[i] for i in places if parts.positive[i]], [texts[i] for i in places if not parts.positive[i]]


def direction_of(
    candidates: Sequence[DirectionCandidate], chosen: int, norms: Mapping[str, float], card: Mapping[str, Any]
) -> Direction:
    """The candidates at the chosen one's position as one direction."""
    best = candidates[chosen]
    mine = {c.level.hook_name: c for c in candidates if c.position == best.position}
    return Direction(
        hook_name=best.level.hook_name, card={"position": best.position, **card}, resid_norms=dict(norms),
        vectors={name: c.vector for name, c in mine.items()}, norms={name: c.norm for name, c in mine.items()},
        positive_means={name: c.means[1] for name, c in mine.items()},
        negative_means={name: c.means[0] for name, c in mine.items()},
        spreads={name: c.spread for name, c in mine.items()},
    )  # fmt: skip


def source_of(model: Model) -> dict[str, Any]:
    """Which weights these are, as a card says it."""
    own = {"name": model.called, "revision": model.checkpoint.revision, "fingerprint": model.fingerprint}
    return {**own, "identity": model.identity, "note": model.checkpoint.note}
