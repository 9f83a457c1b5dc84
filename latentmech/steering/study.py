"""`SteeringStudy`: dose against effect against damage, beside what directions without meaning do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Contrast, Corpus
from latentmech.direction import Choice, Direction, DirectionStudy, Parts, load_direction, method_of, rows_at
from latentmech.errors import BadInput
from latentmech.model import Level, Model, Scope, levels_of, writers
from latentmech.report import Report
from latentmech.statistics import clusters_of
from latentmech.steering.ablations import check_affine
from latentmech.steering.account import account_of
from latentmech.steering.damage import divergence, untouched_runs
from latentmech.steering.edits import EDIT_KINDS, EditKind, Steerer
from latentmech.steering.effects import spans
from latentmech.steering.estimates import Estimating
from latentmech.steering.findings import NullEffects, SteeringFindings
from latentmech.steering.gate import Gate, learned
from latentmech.steering.generation import EVERYWHERE
from latentmech.steering.layer import LayerChoice, choose_layer, choosing
from latentmech.steering.necessity import Necessity
from latentmech.steering.nulls import EXCHANGED, ISOTROPIC, OWN_BLOCK, RANDOM, NullSource, Nulls
from latentmech.steering.reading import readings
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.strength import Strength, calibrated, in_units, is_close
from latentmech.steering.sweep import Doses, swept
from latentmech.steering.trials import Trials, TrialSource
from latentmech.steering.weights import exports

NEUTRAL_WORDS = 1500  # whose states stand for those of a saved direction's texts
CHOOSING = 10  # random directions that choose a block of their own
SAME_LINE = 0.99  # cosine at which exchanging labels has left a direction on the line where it was


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The direction where it was found, its texts, what a reader must know about it, and how it was chosen."""

    direction: Direction
    contrast: Contrast | None
    notes: tuple[str, ...]
    selection: Choice | None


@dataclass(frozen=True, kw_only=True)
class SteeringStudy(SteeringSettings):
    """Steers in several strengths and measures what changes; see `SteeringSettings`."""

    direction: DirectionStudy = field(default_factory=DirectionStudy)
    trials: TrialSource | None = None
    scope: Scope = field(default_factory=Scope)
    necessity: Necessity | None = None

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find or load the direction, sweep, test, report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> SteeringFindings:
        """Everything that the report is made of."""
        self._check(model)
        origin = self._origin(model, store)
        prompts: Callable[[str], Trials] = cache(partial(self._prompts, model, origin.contrast))
        source = self._null_source(model, store, origin)
        steerer = Steerer(model=model, kind=self.kind, scope=self.scope, gate_at=self._gates(origin, source))
        direction, choice = self._placed(steerer, origin.direction, prompts)
        doses, notes = self._doses(steerer, direction, prompts)
        exported = self._exports(model, origin.direction, direction, doses)
        nulls = self._nulls(steerer, direction, source, doses, prompts)
        trials = prompts("test")
        sweep = swept(
            steerer, trials, untouched_runs(model, trials.texts, self.kl_tokens), direction, doses, nulls,
            self._told(trials), n_tokens=self.n_tokens, neutral_words=self.neutral_words,
        )  # fmt: skip
        necessity = None
        if self.necessity is not None and origin.contrast is not None:
            made = (source.random, source.isotropic)
            necessity = self.necessity(model, origin.direction, origin.contrast, *made, self.draws)
        ends = spans(list(doses), self.kind.neutral)
        of = Estimating(
            sweep=sweep, clusters=clusters_of(trials.groups), neutral=self.kind.neutral, ends=ends, draws=self.draws
        )
        lengths = [in_units(dose, direction) for dose in doses.values()]
        found = of.of_doses(readings(model, direction, sweep.answers), lengths)
        exchanged, said = self._exchanged(of, direction, nulls)
        return SteeringFindings(
            direction=direction,
            trials=trials,
            kind=self.kind,
            edit=self.edit,
            unit=self.kind.unit or self.unit,
            strengths=tuple(doses),
            doses=found,
            overall=of.overall(),
            nulls={name: NullEffects.of(sweep.others[name], nulls[name]) for name in nulls},
            exchanged=exchanged,
            verdict=of.verdict(found, exchanged),
            clean=sweep.clean,
            scores=sweep.clean + sweep.own.change[0],
            slope=of.slope(),
            answers=sweep.answers,
            choice=choice,
            selection=origin.selection,
            necessity=necessity,
            n_tokens=self.n_tokens,
            kl_tokens=self.kl_tokens,
            gate=self.gate,
            notes=(*origin.notes, *notes, *said),
            exports=exported,
        )
