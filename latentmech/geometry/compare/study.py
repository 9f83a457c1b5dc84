"""`CompareStudy`: how alike two models are inside, level by level, and whether a direction means the same in both."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.data import Contrast, Corpus, Examples, Pairs
from latentmech.direction import Direction, load_direction
from latentmech.errors import BadInput
from latentmech.geometry.compare.against import against
from latentmech.geometry.compare.checkpoints import checkpoint
from latentmech.geometry.compare.common_words import FEWEST, Words, common_words
from latentmech.geometry.compare.findings import Findings
from latentmech.geometry.compare.measures import Comparison
from latentmech.geometry.compare.presentation import present
from latentmech.geometry.compare.probes import problem
from latentmech.geometry.compare.sides import Gathering
from latentmech.model import Model, levels_of
from latentmech.probe.problem import Problem
from latentmech.report import Report
from latentmech.steering import Trials, TrialSource


@dataclass(frozen=True, kw_only=True)
class CompareStudy:
    """The model against another one, or against checkpoints of its training, on the same words.

    Attributes:
        other: the second model.
        others: folders of checkpoints, or `organisation/model@revision` on the hub; with any, they are compared instead
            of `other`.
        data: the texts whose words are compared.
        words: at most so many of them, each form once.
        k: neighbours of each word.
        components: principal components that span the subspace of a level.
        contrast: the texts whose direction is found in both models; None leaves it out.
        chat_template: put these into the models' chat template, if they have one.
        direction: a saved one (a path, `wandb:...` or `hub:...`) instead of that found in the model's own states; the
            contrast should be that which it was found with.
        allow_foreign: use it although it was found in other weights; the report says so.
        probe: a task over the words of `data`, such as `pos`, whose probes are read out frozen and refitted; None
            leaves them out.
        trials: prompts, and the next tokens that count, by which the effect of adding a direction is measured; None
            leaves this out.
        effect_levels: directions are added at so many blocks, evenly apart.
        random: random vectors added beside them.
        random_init: compare the model with its random-init twin too.
        shuffles: chance draws of every measure.
        halves: half-samples of documents for the intervals of CKA, Procrustes and subspaces.
        draws: bootstrap resamples.
        seed: of all of these.
    """

    other: Model | None = None
    others: Sequence[str] = ()
    data: Corpus = field(default_factory=Corpus)
    words: int = 1000
    k: int = 10
    components: int = 10
    contrast: Pairs | None = field(default_factory=Pairs)
    chat_template: bool = True
    direction: str | None = None
    allow_foreign: bool = False
    probe: str | None = "pos"
    trials: TrialSource | None = None
    effect_levels: int = 8
    random: int = 10
    random_init: bool = True
    shuffles: int = 3
    halves: int = 20
    draws: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.others, str):
            raise BadInput(f"geometry.others={self.others}; expected a list of folders, such as [step_100,step_200]")
        if self.other is None and not self.others:
            raise BadInput("geometry.other is not set; choose a second model, such as model@geometry.other=tiny")
        names = [Path(folder).name for folder in self.others]
        if len(set(names)) < len(names):
            raise BadInput(f"geometry.others: {names} are not all different; these names tell their results apart")
        least = {"words": FEWEST, "k": 1, "components": 1, "shuffles": 1, "halves": 0, "draws": 100}
        least |= {"effect_levels": 1, "random": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {value}")
        if self.k >= FEWEST:
            raise BadInput(f"geometry.k={self.k} is too large; expected less than {FEWEST}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Compare with each other model, and with the twin, and report."""
        others, examples = self._others(), self.data()
        words = common_words([model, *others], examples, self.words, self.seed)
        contrast = None if self.contrast is None else self.contrast()
        saved, warnings = self._saved(model)
        asked = [self._trials(each, contrast) for each in (model, *others)]
        labels = None if self.probe is None else problem(examples, self.probe, self.seed)
        gather = self._gathering(store, examples, words, contrast, labels, saved)
        own = gather.first(model, asked[0])
        sides = [gather.beside(own, other, trials) for other, trials in zip(others, asked[1:], strict=True)]
        twins = [replace(model, random_init=True, seed=self.seed)] if self.random_init else []
        blanks = [gather.beside(own, twin, None) for twin in twins]
        total = len(own.levels) * len([*sides, *blanks])
        with tqdm(total=total, unit="level", desc=f"{model.name}: compared", mininterval=1) as bar:
            measure, groups = self._comparison(words), asked[0].groups if asked[0] else ()
            rest = (labels, groups, self.draws, self.seed, bar.update)
            found = [against(own, side, measure, *rest) for side in sides]
            blank = [against(own, side, replace(measure, shuffles=0, halves=0), *rest) for side in blanks]
        return present(
            self,
            Findings(
                model=model,
                words=words,
                found=found,
                twin=blank[0] if blank else None,
                trials=asked[0],
                warnings=warnings,
            ),
        )

    @property
    def called(self) -> str:
        """What the contrast is called."""
        assert self.contrast is not None
        return self.contrast.name if self.contrast.path is None else str(self.contrast.path)

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

    def _trials(self, model: Model, contrast: Contrast | None) -> Trials | None:
        return None if self.trials is None or contrast is None else self.trials(model, contrast, "test")

    def _others(self) -> list[Model]:
        if self.others:
            return [checkpoint(place) for place in self.others]
        return [] if self.other is None else [self.other]

    def _gathering(
        self,
        store: ActivationStore,
        examples: Examples,
        words: Words,
        contrast: Contrast | None,
        labels: Problem | None,
        saved: Direction | None,
    ) -> Gathering:
        return Gathering(
            store=store,
            examples=examples,
            words=words,
            contrast=contrast,
            chat_template=self.chat_template,
            problem=labels,
            saved=saved,
            n_levels=self.effect_levels,
            random=self.random,
            seed=self.seed,
        )

    def _comparison(self, words: Words) -> Comparison:
        return Comparison(
            clusters=words.clusters,
            k=self.k,
            components=self.components,
            shuffles=self.shuffles,
            halves=self.halves,
            draws=self.draws,
            seed=self.seed,
        )
