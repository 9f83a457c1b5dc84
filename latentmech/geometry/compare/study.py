"""`CompareStudy`: how alike two models are inside, level by level, and whether a direction means the same in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.data import Contrast
from latentmech.direction import Direction, load_direction
from latentmech.errors import BadInput
from latentmech.fields import Control
from latentmech.geometry.compare.account import account_of
from latentmech.geometry.compare.drift import drift, probed, problem, right
from latentmech.geometry.compare.effect import effect
from latentmech.geometry.compare.findings import Against, CompareFindings
from latentmech.geometry.compare.formulas import every_pair
from latentmech.geometry.compare.measures import similarity
from latentmech.geometry.compare.settings import CompareSettings
from latentmech.geometry.compare.sides import Gathering, Side, common_words, counterparts
from latentmech.model import Hub, Local, Model, levels_of, within
from latentmech.probe import Problem
from latentmech.report import Report
from latentmech.steering import Trials, TrialSource


@dataclass(frozen=True, kw_only=True)
class CompareStudy(CompareSettings):
    """The model against another one, or against checkpoints of its training, on the same words."""

    other: Model | None = None
    trials: Annotated[TrialSource | None, Control("effect of the direction")] = None

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Compare with each other model, and with the twin, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> CompareFindings:
        """Everything that the report is made of."""
        others = [checkpoint(place) for place in self.others] or [one for one in (self.other,) if one is not None]
        examples = self.data()
        for each in (model, *others):
            examples = within(each, examples)
        words = common_words([model, *others], examples, self.words, self.seed)
        contrast = None if self.contrast is None else self.contrast()
        saved, warnings = self._saved(model)
        asked = [self._trials(each, contrast) for each in (model, *others)]
        labels = None if self.probe is None else problem(examples, self.probe, self.seed)
        gather = Gathering(
            settings=self, store=store, examples=examples, words=words, contrast=contrast, problem=labels, saved=saved
        )
        own = gather.first(model, asked[0].get("test"))
        sides = [gather.beside(own, other, trials) for other, trials in zip(others, asked[1:], strict=True)]
        twins = [model.changed(random_init=True, seed=self.seed)] if self.random_init else []
        blanks = [gather.beside(own, twin, {}) for twin in twins]
        rest = (labels, asked[0]["test"].groups if asked[0] else ())
        found = [self._against(own, side, *rest, False) for side in sides]
        blank = [self._against(own, side, *rest, True) for side in blanks]
        return CompareFindings(
            settings=self, examples=examples, words=words, others=found, twin=blank[0] if blank else None,
            warnings=(*warnings, *(asked[0]["test"].notes if asked[0] else ())),
        )  # fmt: skip

    def _against(self, own: Side, side: Side, labels: Problem | None, groups: Sequence[str], bare: bool) -> Against:
        """Everything that is measured between two models; `groups` are those of the prompts of steered models."""
        pairs, same_width = dict(counterparts(own.levels, side.levels)), own.model.d_model == side.model.d_model
        alike, drifts, effects, read = {}, {}, {}, {}
        for level, other in tqdm(pairs.items(), desc=f"{own.model.name}: compared", unit="level", mininterval=1):
            alike[level] = similarity(own.states(level), side.states(other), own.words.clusters, self, bare)
            if own.classes and side.classes and same_width and level.hook_name in own.classes.found:
                drifts[level] = drift(own.classes, level, side.classes, other, self.draws, self.seed)
            if level in side.changes and own.classes and side.classes:
                length = own.classes.found[level.hook_name].norm() / side.classes.found[other.hook_name].norm()
                done = (own.changes[level][0], side.changes[level], side.dev[level], float(length))
                effects[level] = effect(*done, groups, self.draws, self.seed)
            if labels is not None and same_width:
                here, there = (own.activations, level), (side.activations, other)
                asked = ((*here, own.probes[level]), (*there, own.probes[level]), (*there, side.probes[other]))
                read[level] = probed(labels, [right(labels, *one) for one in asked], self.draws, self.seed)
        return Against(
            name=side.model.name, matched=pairs, alike=alike, drifts=drifts, effects=effects, probed=read,
            other_levels=side.levels, same=own.model.fingerprint == side.model.fingerprint,
            cka=every_pair(map(own.states, own.levels), map(side.states, side.levels)),
        )  # fmt: skip

    def _saved(self, model: Model) -> tuple[Direction | None, tuple[str, ...]]:
        """The direction of `direction`, and what a reader must know about it."""
        if self.direction is None:
            return None, ()
        direction = load_direction(self.direction)
        warnings = direction.check(model, allow_foreign=self.allow_foreign)
        known = {level.hook_name for level in levels_of(model.n_layers)}
        if not known & set(direction.vectors):
            seen = f"geometry.direction={self.direction} belongs to {direction.hook_name}"
            raise BadInput(f"{seen}; expected one at resid_post, where models are compared")
        return direction, warnings

    def _trials(self, model: Model, contrast: Contrast | None) -> dict[str, Trials]:
        """Prompts that give the numbers (`test`) and others that choose a block (`dev`), if effects are measured."""
        if self.trials is None or contrast is None:
            return {}
        return {split: self.trials(model, contrast, split) for split in ("test", "dev")}


def checkpoint(place: str) -> Model:
    """A folder, or `organisation/model@revision` on the hub; it is called what stands behind the last slash.

    Raises:
        BadInput: it is neither.
    """
    folder, (name, _, revision) = Path(place).expanduser(), place.rpartition("@")
    if folder.exists():
        return Model(name=folder.name, source=Local(path=str(folder)))
    if name and revision:
        return Model(name=folder.name, source=Hub(name=name, revision=revision))
    seen = f"geometry.others: {place} is not there; name folders of checkpoints, or organisation/model@revision"
    raise BadInput(f"{seen}, or make some: scripts/train_checkpoints.py {folder.parent}")
