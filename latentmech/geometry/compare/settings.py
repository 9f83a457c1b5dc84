"""Settings of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from latentmech.data import Corpus, Pairs
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Below, Control, Count, Draws, Idle, Positive, check
from latentmech.model import ModelSettings

NO_CONTRAST = Idle(lambda own: own.contrast is None, "there is no contrast")
NO_TRIALS = Idle(lambda own: own.contrast is None or own.trials is None, "no effect of a direction is measured")
FEWEST = 30  # words below which no measure says anything


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
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
        chat_template: put these into the models' chat template, if they have one; by default all but bundled sentences.
        direction: a saved one (a path, `wandb:...` or `hub:...`) instead of that found in the model's own states; the
            contrast should be that which it was found with.
        allow_foreign: use it although it was found in other weights; the report says so.
        probe: a task over the words of `data`, such as `pos`, whose probes are read out frozen and refitted; None
            leaves them out.
        trials: prompts, and the next tokens that count, by which the effect of adding a direction is measured; None
            leaves this out.
        effect_levels: directions are added at so many blocks, evenly apart.
        random: random vectors of each kind added beside them.
        random_init: compare the model with its random-init twin too.
        shuffles: chance draws of every measure.
        halves: half-samples of documents for the intervals of CKA, Procrustes and subspaces.
        draws: bootstrap resamples.
        seed: of all of these.
    """

    builds: ClassVar[str] = "latentmech.geometry.compare.study.CompareStudy"

    other: ModelSettings | None = None
    others: Sequence[str] = ()
    data: Corpus = field(default_factory=lambda: Corpus(limit=8000))
    words: Annotated[int, AtLeast(FEWEST)] = 1000
    k: Annotated[int, AtLeast(1), Below(FEWEST)] = 10
    components: Positive = 10
    contrast: Annotated[Pairs | None, Control("direction of a contrast")] = field(
        default_factory=lambda: Pairs(name="refusal")
    )
    chat_template: Annotated[bool | None, NO_CONTRAST] = None
    direction: Annotated[str | None, NO_CONTRAST] = None
    allow_foreign: Annotated[bool, Idle(lambda own: own.direction is None, "no saved direction is given")] = False
    probe: Annotated[str | None, Control("probes")] = "pos"
    trials: Annotated[Any, Control("effect of the direction"), NO_CONTRAST] = None
    effect_levels: Annotated[Positive, NO_TRIALS] = 8
    random: Annotated[Positive, NO_TRIALS] = 10
    random_init: Annotated[bool, Control("random-init twin")] = True
    shuffles: Positive = 3
    halves: Count = 20
    draws: Draws = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        if isinstance(self.others, str):
            raise BadInput(f"geometry.others={self.others}; expected a list of folders, such as [step_100,step_200]")
        if self.other is None and not self.others:
            raise BadInput("geometry.other is not set; choose a second model, such as model@geometry.other=tiny")
        names = [Path(folder).name for folder in self.others]
        if len(set(names)) < len(names):
            raise BadInput(f"geometry.others: {names} are not all different; these names tell their results apart")

    @property
    def called(self) -> str:
        """What the contrast is called; empty without one."""
        if self.contrast is None:
            return ""
        return self.contrast.name if self.contrast.path is None else str(self.contrast.path)
