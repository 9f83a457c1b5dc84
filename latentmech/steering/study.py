"""`SteeringStudy`: dose against effect against damage, beside what directions without meaning do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Contrast, Corpus
from latentmech.direction import Choice, Direction, DirectionStudy, Parts, load_direction, method_of, rows_at
from latentmech.errors import BadInput
from latentmech.model import Model, Scope, levels_of, refuse_without, tokenise, writers
from latentmech.report import Report
from latentmech.statistics import clusters_of
from latentmech.steering.account import account_of
from latentmech.steering.damage import divergence, readings, untouched_runs
from latentmech.steering.edits import (
    EDIT_KINDS,
    EditKind,
    Gate,
    Steerer,
    Strength,
    calibrated,
    in_units,
    is_close,
    learned,
)
from latentmech.steering.effects import spans
from latentmech.steering.findings import SteeringFindings
from latentmech.steering.generation import EVERYWHERE
from latentmech.steering.interventions import OTHERS_WRITE, check_affine
from latentmech.steering.layer import choosing, rises_of
from latentmech.steering.necessity import Necessity
from latentmech.steering.nulls import EXCHANGED, ISOTROPIC, OWN_BLOCK, RANDOM, NullSource
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.sweep import Dosed, Doses, swept
from latentmech.steering.trials import Trials
from latentmech.steering.weights import exports

Prompts = Callable[[str], Trials]  # of a split
Exports = Mapping[str, Callable[[Path], object]]
Rises = Mapping[int, float]  # by block
Sizing = Callable[[Direction, Sequence[float]], tuple[Doses, list[str]]]  # strengths at a place, and what was missed
NEUTRAL_WORDS = 1500  # whose states stand for those of a saved direction's texts
CHOOSING = 10  # random directions that choose a block of their own
NO_EFFECT = "the score is of the token that their last state gives, so every effect would be 0 by construction"
SAME_LINE = 0.99  # cosine at which exchanging labels has left a direction on the line where it was


class Origin(NamedTuple):
    """The direction where it was found, and what a reader must know; its texts and how it was chosen, if found here."""

    direction: Direction
    notes: tuple[str, ...]
    contrast: Contrast | None = None
    selection: Choice | None = None


@dataclass(frozen=True, kw_only=True)
class SteeringStudy(SteeringSettings):
    """Steers in several strengths and measures what changes; see `SteeringSettings`."""

    direction: DirectionStudy = field(default_factory=DirectionStudy)
    scope: Scope = field(default_factory=Scope)
    necessity: Necessity | None = None

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Find or load the direction, sweep, test, report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> SteeringFindings:
        """Everything that the report is made of."""
        self._check(model)
        origin = self._origin(model, store)
        if self.necessity is not None and origin.contrast is not None:
            refuse_without(model, "ablation", OTHERS_WRITE)
        prompts: Prompts = cache(partial(self.trials, model, origin.contrast))
        source = self._null_source(model, store, origin)
        steerer = Steerer(model=model, kind=self.kind, scope=self.scope, gate_at=self._gates(origin, source))
        reach = self._reached(model, prompts)
        sized = self._sizing(steerer, prompts)
        direction, rises = self._placed(steerer, origin.direction, prompts, sized)
        doses, missed = sized(direction, [float(strength) for strength in self.strengths])
        exported = self._exports(model, origin.direction, direction, doses)
        ends, trials = spans(list(doses), self.kind.neutral), prompts("test")
        last = {value: doses[value] for end in ends for value in end.strengths}
        nulls = self._nulls(steerer, direction, source, doses, last, prompts)
        sweep = swept(steerer, trials, ([direction], doses), nulls, self._told(trials), self)
        read = readings(model, direction, sweep.answers)[1:].tolist()
        singles = [{"reading": x, **in_units(dose, direction)} for x, dose in zip(read, doses.values(), strict=True)]
        swapped, necessity = nulls[EXCHANGED][0] if EXCHANGED in nulls else [], None
        cosines = [abs(one.cosine(direction.at(one.hook_name))) for one in swapped]
        same_line = bool(cosines) and not np.median(cosines) < SAME_LINE
        if self.necessity is not None and origin.contrast is not None:
            made = (source.random, source.isotropic)
            necessity = self.necessity(model, origin.direction, origin.contrast, *made, self.draws)
        return SteeringFindings(
            settings=self, direction=direction, trials=trials, kind=self.kind, neutral=self.kind.neutral, sweep=sweep,
            clusters=clusters_of(trials.groups), singles=singles, same_line=same_line, draws=self.draws, rises=rises,
            selection=origin.selection, necessity=necessity, exports=exported,
            notes=(*origin.notes, *reach, *missed, *self._left_out(same_line)),
        )  # fmt: skip

    @property
    def kind(self) -> EditKind:
        """How the direction is used."""
        return EDIT_KINDS[self.edit]

    def _check(self, model: Model) -> None:
        """What this model or this edit cannot do is refused now, and not when the work is done."""
        if isinstance(self.layer, int) and not 0 <= self.layer < model.n_layers:
            seen = f"steering.layer={self.layer} is out of range"
            raise BadInput(f"{seen}; {model.name} has blocks 0 to {model.n_layers - 1}")
        if not self.scope.prompt:
            raise BadInput(f"steering.scope.prompt=false leaves the prompts as they are; {NO_EFFECT}: leave it out")
        if self.unit == "kl" and (self.kind.neutral != 0 or self.kind.unit):
            seen = f"steering.unit=kl counts nats from a strength of 0, and with steering.edit={self.edit}"
            raise BadInput(f"{seen} {self.kind.zero}; choose another unit")
        if self.gate is not None and self.file is not None:
            raise BadInput("steering.gate needs the direction's texts to learn its threshold, and a saved one has none")
        if self.necessity is not None and self.file is None:
            levels = levels_of(model.n_layers, self.direction.site, self.direction.layers)
            check_affine([level.hook_name for level in levels], model.n_layers)
        if self.export == "weights":
            writers(model)

    def _origin(self, model: Model, store: ActivationStore) -> Origin:
        if self.file is not None:
            direction = load_direction(self.file)
            return Origin(direction, direction.check(model, allow_foreign=self.allow_foreign))
        only = replace(self.direction, compare=False, transfer=(), observer=None, random_draws=0, shuffles=0)
        found = only.find(model, store)
        return Origin(found.direction, found.contrast.notes, found.contrast, found.choice)

    def _null_source(self, model: Model, store: ActivationStore, origin: Origin) -> NullSource:
        """From the states of the direction's own texts at any hook point; of words, where it comes without."""
        contrast, card = origin.contrast, origin.direction.card

        @cache
        def rows(hook_name: str) -> Tensor:
            if contrast is not None:
                reading = self.direction.reading(str(card["position"]))
                return rows_at(reading, contrast.joint, hook_name, model, store)
            levels = levels_of(model.n_layers, card.get("site", "resid_post"))
            return store.get(model, Corpus(limit=NEUTRAL_WORDS)(), levels, "word_last").level(hook_name).float()

        parts, method = None if contrast is None else Parts.of(contrast), method_of(self.direction.method)
        return NullSource(rows=rows, parts=parts, method=method, seed=self.seed)

    def _gates(self, origin: Origin, source: NullSource) -> Callable[[str], Gate | None]:
        """What learns the gate at a hook point, from the dev texts there."""

        @cache
        def learn(hook_name: str) -> Gate | None:
            if self.gate is None or source.parts is None:
                return None
            rows, vector = source.rows(hook_name)[source.parts.within("dev")], origin.direction.at(hook_name).vector
            return learned(rows, source.parts.truth("dev"), vector, self.gate)

        return learn

    def _reached(self, model: Model, prompts: Prompts) -> list[str]:
        """What must be said of prompts whose last token, which gives the token that is scored, the scope leaves out.

        Raises:
            BadInput: it leaves all tokens of every prompt as they are.
        """
        scope, texts = self.scope, prompts("test").texts
        lengths = tokenise(model, texts, [f"prompt {i}" for i in range(len(texts))]).lengths
        bare = sum(n <= scope.first for n in lengths)
        if bare == len(lengths):
            seen = f"steering.scope.first={scope.first} leaves all tokens of every prompt as they are"
            raise BadInput(f"{seen}; {NO_EFFECT}: the longest prompt has {max(lengths)} tokens, set less")
        past = 0 if scope.last is None else sum(n > scope.last for n in lengths)
        n, through = (
            len(lengths),
            "whose state gives the scored token: what is edited acts on it through attention alone",
        )
        said = {
            f"The scope leaves {bare} of {n} prompts as they are: their effect is 0 by construction.": bare,
            f"In {past} of {n} prompts the scope leaves out the last token, {through}.": past,
        }
        return [sentence for sentence, count in said.items() if count]

    def _placed(
        self, steerer: Steerer, direction: Direction, prompts: Prompts, sized: Sizing
    ) -> tuple[Direction, Rises | None]:
        """The direction at the block where it is used."""
        site = direction.card.get("site", "resid_post")
        if self.layer == "found":
            return direction, None
        if self.layer != "dev":
            return direction.at(f"blocks.{self.layer}.hook_{site}"), None
        neutral = self.kind.neutral
        values = [float(s) for s in self.choose_by or self.strengths if s != neutral] or [(neutral or 0.0) + 1.0]
        rises = rises_of(steerer, direction, prompts("dev"), lambda here: sized(here, values)[0])
        return direction.at(f"blocks.{max(rises, key=rises.__getitem__)}.hook_{site}"), rises

    def _sizing(self, steerer: Steerer, prompts: Prompts) -> Sizing:
        """What gives strengths, at any block, as the edit is given them, and says of nats whether they were reached."""
        unit = self.kind.unit or self.unit
        if unit != "kl":
            return lambda _, values: ({value: Strength(value, unit) for value in values}, [])
        runs = untouched_runs(steerer.model, prompts("dev").texts, self.kl_tokens)

        def sized(here: Direction, values: Sequence[float]) -> tuple[Doses, list[str]]:
            size = Strength(1.0, "resid").along(here)

            @cache  # the strengths double from the same beginning
            def kl_at(length: float) -> float:
                variant = steerer(here, Strength(length / size, "resid"))
                return float(divergence(steerer.model, [variant], runs, scope=self.scope).kl.mean())

            found = {nats: calibrated(kl_at, nats, 0.1 * size) for nats in values}
            missed = [
                f"Of {nats:+g} nats {kl:.3g} were reached on dev prompts, at {length / size:+.3g} residual norms."
                for nats, (length, kl) in found.items()
                if not is_close(kl, nats)
            ]
            return {nats: Strength(length / size, "resid") for nats, (length, _) in found.items()}, missed

        return sized

    def _nulls(
        self, steerer: Steerer, direction: Direction, source: NullSource, doses: Doses, last: Doses, prompts: Prompts
    ) -> dict[str, Dosed]:
        """Directions without meaning, some at blocks of their choice if the direction chose, and their strengths."""
        moving = {value: dose for value, dose in doses.items() if value != self.kind.neutral}
        found, choose = dict[str, Dosed](), self.layer == "dev"

        def at_their_blocks(made: Callable[[Direction], list[Direction]]) -> list[Direction]:
            return choosing(steerer, direction, made, prompts("dev"), last) if choose else made(direction)

        if last and self.random:
            found[RANDOM] = source.random(direction, self.random), moving
            found[ISOTROPIC] = source.isotropic(direction, self.random), last
            if choose:
                found[OWN_BLOCK] = at_their_blocks(partial(source.random, n=min(CHOOSING, self.random))), last
        if last and self.exchanged and source.parts is not None:
            found[EXCHANGED] = at_their_blocks(partial(source.exchanged, n=self.exchanged)), last
        return found

    def _left_out(self, same_line: bool) -> list[str]:
        """What was asked for and could not be had."""
        line = f"{self.direction.method} finds the same line under exchanged labels, one way round or the other"
        said = {
            f"No test against exchanged labels: {line}.": same_line,
            "No exchanged labels: a saved direction comes without its texts.": self.exchanged and self.file,
            "Necessity was not tested: a saved direction comes without its texts.": self.necessity and self.file,
        }
        return [sentence for sentence, holds in said.items() if holds]

    def _exports(self, model: Model, found: Direction, placed: Direction, doses: Doses) -> Exports:
        """What writes the edited models, where that is asked."""
        in_weights = self.kind.in_weights and self.scope == EVERYWHERE and self.gate is None
        lengths = [dose.along(placed) for dose in doses.values()] if in_weights else []
        return exports(model, found, placed, lengths) if self.export == "weights" else {}

    def _told(self, trials: Trials) -> Mapping[str, Sequence[str]]:
        """The prompts with an instruction in front, inside the chat template where they are in one."""
        pairs = list(zip(trials.texts, trials.shown, strict=True))
        kinds = zip(("for", "against"), self.prompting, strict=False)
        return {
            kind: [type(text)(text.replace(shown, f"{told} {shown}", 1)) for text, shown in pairs]
            for kind, told in kinds
        }
