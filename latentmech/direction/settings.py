"""Settings of a direction study, the names of the methods, and the rules for where in a text a direction is read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from latentmech.data import Pairs, bundled_pairs
from latentmech.errors import BadInput
from latentmech.fields import Control, Count, Draws, OneOf, Rule, SomeOf, check
from latentmech.model import Layers, Site

METHODS = ("difference_of_means", "pca_of_differences", "lda", "logistic", "leace")
RULES = (
    "last", "post_instruction", "prompt_mean", "response_mean", "answer_start", "thinking_mean", "marked", "letter",
)  # fmt: skip


SENTENCES = ("sentiment", "truth", "formality", "language")  # bundled sets that are read as plain text
LETTERED = ("sycophancy",)  # those whose answers are letters


def templated(data: Pairs, asked: bool | None) -> bool:
    """Whether texts go into the chat template: as asked, or else all but bundled sentences."""
    return asked if asked is not None else not (data.path is None and data.name in SENTENCES)


def _no_rules(value: Sequence[str] | None) -> str | None:
    return None if value is None else SomeOf(*RULES).refusal(value)


@dataclass(frozen=True, kw_only=True)
class DirectionSettings:
    """A behaviour direction, chosen on dev over layers and positions, evaluated on topics that it was not fitted on.

    Attributes:
        data: the contrasted texts.
        name: what the direction is called; by default as the data are.
        positions: where it is read: `last`, `post_instruction`, `prompt_mean`, `response_mean`, `answer_start`,
            `thinking_mean`, `marked`, `letter`; each of several is a candidate. By default `last`, or `letter`
            for bundled answers by letter.
        method: `difference_of_means`, `pca_of_differences`, `lda`, `logistic` or `leace`.
        site: hook point in every block.
        layers: `all`, or block numbers.
        chat_template: put texts into the model's chat template, if it has one; by default all but bundled sentences.
        system: a system prompt instead of the template's own.
        selection: None takes the best separation on dev; or a causal selection.
        observer: looks whether the model shows the behaviour at all; None leaves it out.
        random_draws: random directions beside it: drawn evenly, and as many drawn as the states vary.
        shuffles: exchanges of the labels beside it; each costs a fit at every level and one for every group.
        halvings: random halves of the training groups.
        compare: cosines to the directions of the other bundled sets.
        transfer: other data to read with it: bundled names or paths.
        push: a hub repository, `owner/name`, that the direction is uploaded to when the run has its results.
        draws: bootstrap resamples of groups.
        seed: of random directions, exchanges, halves and the matched sample.
    """

    builds: ClassVar[str] = "latentmech.direction.study.DirectionStudy"

    data: Pairs = field(default_factory=Pairs)
    name: str | None = None
    positions: Annotated[Sequence[str] | None, Rule(_no_rules)] = None
    method: Annotated[str, OneOf(*METHODS)] = "difference_of_means"
    site: Site = "resid_post"
    layers: Layers = "all"
    chat_template: bool | None = None
    system: str | None = None
    selection: Any = None
    observer: Any = None
    random_draws: Annotated[Count, Control("random directions")] = 200
    shuffles: Annotated[Count, Control("exchanged labels")] = 99
    halvings: Annotated[Count, Control("split halves")] = 20
    compare: Annotated[bool, Control("cosines to other directions")] = True
    transfer: Sequence[str] = ()
    push: str | None = None
    draws: Draws = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "direction")
        if self.push is not None and not re.fullmatch(r"[^/]+/[^/]+", self.push):
            raise BadInput(f"direction.push={self.push} is not the name of a hub repository; expected owner/name")
        for where in self.transfer:
            if where not in bundled_pairs() and not Path(where).expanduser().exists():
                known = ", ".join(bundled_pairs())
                raise BadInput(f"direction.transfer: {where} is no file and no bundled set; expected one of {known}")

    def beyond_moments(self) -> Iterator[str]:
        """What must be set for training rows to be summed up and not kept."""
        if self.method == "logistic":
            yield "direction.method=lda (or any other)"
        yield from (f"direction.{name}=0" for name in ("shuffles", "halvings") if getattr(self, name))

    def beyond_states(self) -> Iterator[str]:
        """What must be set for states that others have kept to do."""
        yield from (f"direction.{name}=null" for name in ("selection", "observer") if getattr(self, name) is not None)

    @property
    def read_at(self) -> Sequence[str]:
        """The positions, by default as the data are."""
        lettered = self.data.path is None and self.data.name in LETTERED
        return self.positions or (("letter",) if lettered else ("last",))

    @property
    def in_template(self) -> bool:
        """Whether texts go into the chat template."""
        return templated(self.data, self.chat_template)

    @property
    def called(self) -> str:
        """The direction's name."""
        return self.name or (self.data.name if self.data.path is None else Path(self.data.path).stem)
