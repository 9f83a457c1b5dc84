"""Settings of a probe study."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from latentmech.data import Corpus, Label, Task, task
from latentmech.errors import BadInput
from latentmech.fields import Control, Count, Draws, Idle, OneOf, Rule, check
from latentmech.model import Layers, Position, Site

NO_PENALTY = Idle(lambda own: own.method == "mass_mean", "mass_mean has neither penalty nor weights")
ProbeMethod = Annotated[str, OneOf("logistic", "ridge", "lda", "mass_mean")]
NO_PATH = " is not a path; expected one or more numbers from 0 up"
Penalties = Annotated[
    Sequence[float] | None,
    Rule(lambda v: NO_PATH if v is not None and (not len(v) or min(v) < 0) else None),
    NO_PENALTY,
]


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """Linear probes at every level, with the controls beside them.

    The layer and the strength of the penalty are chosen on dev; test is read once, at the chosen layer.

    Attributes:
        task: `pos`, `proper_noun`, `number`, `tense` or `entity`; `column`, or a name of your own, beside `column`.
        column: any label column of the data, such as a FEATS key or a field of a JSONL file.
        positive: with `column`, this label against all others.
        data: the corpus.
        site: hook point in every block: `resid_post`, `resid_pre`, `resid_mid`, `attn_out` or `mlp_out`.
        layers: `all`, or block numbers; the embedding is always there.
        position: `last`, `first` or `mean` of a word's sub-words (of a text's tokens, if texts are labelled).
        method: `logistic`, `ridge`, `lda` or `mass_mean`.
        strengths: penalties to try; default the method's own path.
        class_weight: None, or `balanced`.
        unseen_classes: `error`, or `drop` what train has never seen from dev and test.
        random_init: probe the same architecture with fresh weights too.
        control_seeds: how many control tasks (Hewitt & Liang 2019).
        shuffles: how often labels are exchanged in all splits; from 19 on, a p-value is reported.
        code_length: compute the online code length (Voita & Titov 2020).
        draws: bootstrap resamples of documents.
        seed: of control labels, shuffles, the order of documents and the twin's weights.
        memory_gib: levels are solved together as long as their rows stay below this.
    """

    builds: ClassVar[str] = "latentmech.probe.study.ProbeStudy"

    task: str = "pos"
    column: str | None = None
    positive: Annotated[Label, Idle(lambda own: own.column is None, "probe.column is not set")] = None
    data: Corpus = field(default_factory=Corpus)
    site: Site = "resid_post"
    layers: Layers = "all"
    position: Position = "last"
    method: ProbeMethod = "logistic"
    strengths: Penalties = None
    class_weight: Annotated[str | None, OneOf(None, "balanced"), NO_PENALTY] = None
    unseen_classes: Annotated[str, OneOf("error", "drop")] = "error"
    random_init: Annotated[bool, Control("random-init twin")] = True
    control_seeds: Annotated[Count, Control("control task")] = 5
    shuffles: Annotated[Count, Control("shuffled labels")] = 1
    code_length: Annotated[bool, Control("online code length")] = True
    draws: Draws = 1000
    seed: int = 0
    memory_gib: float = 1.0

    def __post_init__(self) -> None:
        check(self, "probe")
        self.asked()

    def beyond_moments(self) -> Iterator[str]:
        """What must be set for training rows to be summed up and not kept."""
        if self.method == "logistic":
            yield "probe.method=ridge (or lda, mass_mean)"

    def beyond_states(self) -> Iterator[str]:
        """What must be set for states that others have kept to do: nothing."""
        return iter(())

    def asked(self) -> Task:
        """The task as data."""
        if self.column is None and self.task == "column":
            raise BadInput("probe.column is not set; name a column of the data: probe.column=Degree")
        if self.column is None:
            return task(self.task)
        name = self.column if self.task == "column" else self.task
        return replace(task(name, self.column), positive=self.positive)
