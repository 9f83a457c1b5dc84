"""`CompareStudy`: how alike two models are inside, level by level, and whether a direction means the same in both."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.errors import BadInput
from latentmech.geometry.compare.against import against, side_of
from latentmech.geometry.compare.common_words import FEWEST, Words, common_words
from latentmech.geometry.compare.measures import Comparison
from latentmech.geometry.compare.presentation import present
from latentmech.model import Local, Model
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class CompareStudy:
    """The model against another one, or against checkpoints of its training, on the same words.

    Attributes:
        other: the second model.
        others: folders of checkpoints; with any, they are compared instead of `other`.
        data: the texts whose words are compared.
        words: at most so many of them, each form once.
        k: neighbours of each word.
        components: principal components that span the subspace of a level.
        contrast: the texts whose direction is found in both models; None leaves it out.
        chat_template: put these into the models' chat template, if they have one.
        random_init: compare the model with its random-init twin too.
        shuffles: chance draws of every measure.
        halves: half-samples of documents for the interval of CKA.
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
            raise BadInput(
                f"geometry.others: {names} are not all different; the folders' names tell their results apart"
            )
        least = {"words": FEWEST, "k": 1, "components": 1, "shuffles": 1, "halves": 0, "draws": 100}
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
        twins = [replace(model, random_init=True, seed=self.seed)] if self.random_init else []
        own, *sides = (
            side_of(each, store, examples, words, contrast, self.chat_template) for each in (model, *others, *twins)
        )
        total = len(own.levels) * len(sides)
        with tqdm(total=total, unit="level", desc=f"{model.name}: compared", mininterval=1) as bar:
            measure, rest = self._comparison(words), (self.draws, self.seed, bar.update)
            found = [against(own, side, measure, *rest) for side in sides[: len(others)]]
            blank = [against(own, side, replace(measure, shuffles=0), *rest) for side in sides[len(others) :]]
        return present(self, model, words, found, blank[0] if blank else None)

    @property
    def called(self) -> str:
        """What the contrast is called."""
        assert self.contrast is not None
        return self.contrast.name if self.contrast.path is None else str(self.contrast.path)

    def _others(self) -> list[Model]:
        if self.others:
            return [Model(name=Path(folder).name, source=Local(path=folder)) for folder in self.others]
        return [] if self.other is None else [self.other]

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
