"""`SteeringStudy`: dose against effect against damage, beside what random vectors of the same size do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Contrast
from latentmech.direction import Choice, Direction, DirectionStudy, random_directions, rows_at, shuffled_direction
from latentmech.direction.sources import load_direction
from latentmech.errors import BadInput
from latentmech.model import Model, Scope, levels_of
from latentmech.model.fold import writers
from latentmech.report import Report
from latentmech.steering.ablations import check_affine
from latentmech.steering.damage import Clean, clean_runs, drift
from latentmech.steering.gate import Gate, learned
from latentmech.steering.generation import EVERYWHERE
from latentmech.steering.layer import LayerChoice, choose_layer
from latentmech.steering.necessity import Necessity, Verdict
from latentmech.steering.presentation import present
from latentmech.steering.reading import readings
from latentmech.steering.strength import UNITS, Scale, calibrated
from latentmech.steering.sweep import EDITS, Sweep, Sweeper, edit_of
from latentmech.steering.trials import Trials
from latentmech.steering.weights import exports

GATES = (None, "cosine", "projection")


@runtime_checkable
class TrialSource(Protocol):
    """Gives prompts and the next tokens that count, from settings and the direction's data."""

    def __call__(self, model: Model, contrast: Contrast | None, split: str) -> Trials:
        """The trials of one split for one model."""
        ...


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a steering study has measured, before it is put into words."""

    direction: Direction
    trials: Trials
    scale: Scale
    strengths: Sequence[float | int]
    sweep: Sweep
    readings: Float[np.ndarray, " variant"]
    verdict: Verdict | None
    choice: LayerChoice | None
    selection: Choice | None
    notes: tuple[str, ...]
    exports: Mapping[str, Callable[[Path], object]]


@dataclass(frozen=True, kw_only=True)
class SteeringStudy:
    """Adds a direction in several strengths and measures what changes; removes it, where that is asked.

    Attributes:
        direction: how the direction is found, if it is not loaded.
        file: a saved direction: a path, `wandb:...` or `hub:...`.
        allow_foreign: use a direction that was found in other weights; the report says so.
        layer: block where it is added: a number, `found` (where it was found) or `dev` (where it works best on dev).
        trials: the prompts, and the next tokens that count.
        strengths: how much is added; 0 is the untouched model.
        unit: of the strengths: `resid` (median residual norms), `raw` (the direction's own length), `std` (spreads of a
            class's projection) or `kl` (nats).
        edit: `addition`, `rotation` (at unchanged norm) or `clamp` (the projection itself).
        scope: which tokens are edited.
        gate: edit only tokens whose `cosine` or `projection` along the direction exceeds what separates the dev texts.
        random: random directions of the same length beside it.
        shuffled: the direction of shuffled labels beside it.
        prompting: instructions for and against, put before the prompts of the untouched model; empty leaves it out.
        n_tokens: length of the completions.
        kl_tokens: tokens of the untouched model's text over which KL is taken.
        neutral_words: of the neutral text whose perplexity is taken.
        necessity: whether the behaviour needs the direction, and whether the direction suffices; None leaves it out.
        export: `none`, or `weights`: the ablated model as an ordinary folder, and the one with the addition if there is
            exactly one strength but 0 and it is added to every token.
        draws: bootstrap resamples of prompt groups.
        seed: of random directions and shuffles.
    """

    direction: DirectionStudy = field(default_factory=DirectionStudy)
    file: str | None = None
    allow_foreign: bool = False
    layer: int | str = "dev"
    trials: TrialSource | None = None
    strengths: Sequence[float | int] = (-0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5)
    unit: str = "resid"
    edit: str = "addition"
    scope: Scope = field(default_factory=Scope)
    gate: str | None = None
    random: int = 20
    shuffled: bool = True
    prompting: Sequence[str] = ()
    n_tokens: int = 24
    kl_tokens: int = 20
    neutral_words: int = 1500
    necessity: Necessity | None = None
    export: str = "none"
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        strengths = [self.strengths] if isinstance(self.strengths, str) else list(self.strengths)
        if not strengths or not all(isinstance(s, int | float) for s in strengths):
            raise BadInput(f"steering.strengths={self.strengths}; expected numbers, such as strengths=[-0.5,0,0.5]")
        if self.file == "":
            raise BadInput("steering.file is not set; name a saved direction: steering.file=PATH, wandb:... or hub:...")
        if self.trials is None:
            raise BadInput("steering.trials is not set; choose steering=sentiment or another option, or give trials")
        if len(self.prompting) not in (0, 2):
            raise BadInput(f"steering.prompting has {len(self.prompting)} entries; expected one for and one against")
        if isinstance(self.layer, str) and self.layer not in ("dev", "found"):
            raise BadInput(f"steering.layer={self.layer} is unknown; expected a block number, dev or found")
        for name, choices in (("unit", UNITS), ("edit", EDITS), ("export", ("none", "weights")), ("gate", GATES)):
            if (value := getattr(self, name)) not in choices:
                known = ", ".join("null" if choice is None else choice for choice in choices)
                raise BadInput(f"steering.{name}={value} is unknown; expected one of {known}")
        for name, least in (("random", 0), ("n_tokens", 1), ("kl_tokens", 1), ("neutral_words", 100), ("draws", 100)):
            if getattr(self, name) < least:
                raise BadInput(f"steering.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find or load the direction, sweep, test, report."""
        return present(self, self.measure(model, store), model)

    def measure(self, model: Model, store: ActivationStore) -> Measured:
        """Everything that the report is made of."""
        assert self.trials is not None
        self._check(model)
        direction, contrast, notes, selection = self._direction(model, store)
        trials = self.trials(model, contrast, "test")
        found = direction
        direction, choice = self._placed(model, direction, self.trials(model, contrast, "dev"))
        scale = Scale.of(direction)
        runs = clean_runs(model, trials.texts, self.kl_tokens)
        lengths = [self._length(model, direction, scale, runs, strength) for strength in self.strengths]
        exported = self._exports(model, found, direction, lengths)
        random = random_directions(self.random, model.d_model, self.seed)
        shuffled = self._shuffled(model, store, direction, contrast)
        gate = self._gate(model, store, direction, contrast)
        sweep = self._sweeper(model, direction, gate)(
            trials, runs, direction.vector, lengths, random, shuffled, self._told(trials)
        )
        read = readings(model, direction, [sweep.clean_answers, *sweep.answers])
        verdict = None
        if self.necessity is not None and contrast is not None:
            verdict = self.necessity(model, found, contrast, random)
        return Measured(
            direction=direction,
            trials=trials,
            scale=scale,
            strengths=list(self.strengths),
            sweep=sweep,
            readings=read,
            verdict=verdict,
            choice=choice,
            selection=selection,
            notes=notes,
            exports=exported,
        )

    def _check(self, model: Model) -> None:
        """What this model cannot do is refused now, and not when the work is done."""
        if isinstance(self.layer, int) and not 0 <= self.layer < model.n_layers:
            seen = f"steering.layer={self.layer} is out of range"
            raise BadInput(f"{seen}; {model.name} has blocks 0 to {model.n_layers - 1}")
        if self.necessity is not None and self.file is None:
            levels = levels_of(model.n_layers, self.direction.site, self.direction.layers)
            check_affine([level.hook_name for level in levels], model.n_layers)
        if self.export == "weights":
            writers(model)

    def _direction(
        self, model: Model, store: ActivationStore
    ) -> tuple[Direction, Contrast | None, tuple[str, ...], Choice | None]:
        """The direction, the texts that it was found in, what a reader must know about it, and how it was chosen."""
        if self.file is not None:
            direction = load_direction(self.file)
            notes = direction.check(model, allow_foreign=self.allow_foreign)
            contrast, selection = None, None
        else:
            only = replace(self.direction, compare=False, transfer=(), observer=None)
            findings = only.find(model, store)
            direction, contrast, notes = findings.direction, findings.contrast, findings.contrast.notes
            selection = findings.choice
        return direction, contrast, notes, selection

    def _placed(self, model: Model, direction: Direction, dev: Trials) -> tuple[Direction, LayerChoice | None]:
        """The direction at the block where it is added."""
        site = direction.card.get("site", "resid_post")
        if self.layer == "found":
            return direction, None
        if self.layer != "dev":
            return direction.at(f"blocks.{self.layer}.hook_{site}"), None
        strengths = [s for s in self.strengths if s != 0] or [1.0]
        unit = "resid" if self.unit == "kl" else self.unit

        def length(here: Direction, strength: float | int) -> float:
            return Scale.of(here).length(float(strength), unit)

        choice = choose_layer(model, direction, dev, strengths, length, edit=self.edit, scope=self.scope)
        return direction.at(f"blocks.{choice.layer}.hook_{site}"), choice

    def _exports(
        self, model: Model, found: Direction, placed: Direction, lengths: Sequence[float]
    ) -> Mapping[str, Callable[[Path], object]]:
        """What writes the edited models, where that is asked."""
        if self.export == "none":
            return {}
        in_weights = self.edit == "addition" and self.scope == EVERYWHERE and self.gate is None
        return exports(model, found, placed, lengths if in_weights else ())

    def _gate(
        self, model: Model, store: ActivationStore, direction: Direction, contrast: Contrast | None
    ) -> Gate | None:
        if self.gate is None:
            return None
        if contrast is None:
            raise BadInput("steering.gate needs the direction's texts to learn its threshold, and a saved one has none")
        dev = contrast.in_split("dev")
        rows = rows_at(self.direction, dev.joint, direction, model, store)
        return learned(rows, dev.labels, direction.vector, self.gate)

    def _sweeper(self, model: Model, direction: Direction, gate: Gate | None) -> Sweeper:
        return Sweeper(
            model=model,
            hook_name=direction.hook_name,
            edit=self.edit,
            scope=self.scope,
            n_tokens=self.n_tokens,
            neutral_words=self.neutral_words,
            gate=gate,
        )

    def _length(
        self, model: Model, direction: Direction, scale: Scale, runs: Sequence[Clean], strength: float | int
    ) -> float:
        """A strength as a length along the unit vector; one in nats is searched for."""
        if self.unit != "kl":
            return scale.length(float(strength), self.unit)

        def kl_at(length: float) -> float:
            variant = {direction.hook_name: edit_of(self.edit, direction.vector, length)}
            return float(drift(model, [variant], runs, scope=self.scope).kl.mean())

        return calibrated(kl_at, float(strength), 0.1 * scale.resid)

    def _shuffled(
        self, model: Model, store: ActivationStore, direction: Direction, contrast: Contrast | None
    ) -> Float[Tensor, " d_model"] | None:
        """The direction that the same method finds when the training labels are shuffled."""
        if not self.shuffled or contrast is None:
            return None
        return shuffled_direction(self.direction, contrast, direction, model, store)

    def _told(self, trials: Trials) -> Mapping[str, Sequence[str]]:
        """The prompts with an instruction in front, inside the chat template where they are in one."""
        kinds = zip(("for", "against"), self.prompting, strict=False)
        return {
            kind: [
                text.replace(shown, f"{told} {shown}", 1)
                for text, shown in zip(trials.texts, trials.shown, strict=True)
            ]
            for kind, told in kinds
        }
