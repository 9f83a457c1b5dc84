"""Settings of the layer atlas, and the rows that it knows by name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from latentmech.data import TASKS, Corpus, Pairs, Task, bundled_pairs
from latentmech.errors import BadInput, expected
from latentmech.fields import Control, Count, Draws, Idle, OneOf, Positive, SomeOf, check
from latentmech.model import Layers, Position, Site
from latentmech.probe.settings import Penalties, ProbeMethod

LABEL = "label"  # the column of texts that are labelled as a whole
PAIRINGS = ("product", "difference", "concatenation")
NEXT_TOKEN = "next_token"
# tasks that have texts of their own, in the field of the same name; `TASKS` are read from the treebank
WITH_TEXTS = {name: Task(name, LABEL, stage="semantics") for name in ("coreference", "sentiment", "truth")}


def known_rows() -> tuple[str, ...]:
    """Every row that has a name: a new task of `TASKS` is one by itself."""
    return (*TASKS, *WITH_TEXTS, NEXT_TOKEN)


def _not_asked(task: str) -> Idle:
    return Idle(lambda own: task not in own.tasks, f"{task} is not among the tasks")


@dataclass(frozen=True, kw_only=True)
class AtlasSettings:
    """All tasks at all levels in one pass: each set of texts runs through the model once, each level is read once.

    Layer and penalty are chosen on dev, test is read once; every score stands beside the answers that lack the
    information, and the map shows the difference.

    Settings of the same name as those of `ProbeSettings` mean the same.

    Attributes:
        tasks: rows of the map; default all that have a name: those of `probe=`, `coreference`, `sentiment`, `truth` and
            `next_token`.
        extra: more rows: a name and where its texts are: CoNLL-U, JSONL or CSV with a column of that name or `label`
            (`words` for labelled words, `marked` for two mentions), `positive` and `negative`, or a bundled contrast.
        transfer: more data for a task, by its name: each set is a row, and probes trained on one are tested on all.
        data: the treebank. Tasks whose labels it lacks are read from the bundled one.
        coreference: pairs of mentions: the bundled set, GAP, WinoBias, or a JSONL with `marked` and `label`.
        sentiment: texts for sentiment.
        truth: true and false statements.
        pairings: how two mentions become one vector: `product`, `difference`, `concatenation`; a row for each.
        text_position: `last`, `first` or `mean` of a text's tokens; `position` is of a word's sub-words.
        twin_step: of the random-init twin, the embedding and every so many blocks.
        next_tokens: words of dev, and of test, whose next token is asked at every level.
    """

    builds: ClassVar[str] = "latentmech.probe.atlas.study.AtlasStudy"

    tasks: Sequence[str] = field(default_factory=known_rows)
    extra: Mapping[str, str] | None = None
    transfer: Mapping[str, Sequence[str]] | None = None
    data: Corpus = field(default_factory=lambda: Corpus(limit=60000))
    coreference: Annotated[Corpus, _not_asked("coreference")] = field(
        default_factory=lambda: Corpus(name="coreference")
    )
    sentiment: Annotated[Pairs, _not_asked("sentiment")] = field(default_factory=lambda: Pairs(name="sentiment"))
    truth: Annotated[Pairs, _not_asked("truth")] = field(default_factory=lambda: Pairs(name="truth"))
    pairings: Annotated[Sequence[str], SomeOf(*PAIRINGS)] = PAIRINGS
    site: Site = "resid_post"
    layers: Layers = "all"
    position: Position = "last"
    text_position: Position = "last"
    method: ProbeMethod = "ridge"
    strengths: Penalties = None
    unseen_classes: Annotated[str, OneOf("drop", "error")] = "drop"
    random_init: Annotated[bool, Control("random-init twin")] = True
    twin_step: Annotated[Positive, Idle(lambda own: not own.random_init, "random_init is off")] = 3
    control_seeds: Annotated[Count, Control("control task")] = 2
    shuffles: Annotated[Count, Control("shuffled labels")] = 1
    next_tokens: Annotated[Positive, _not_asked(NEXT_TOKEN)] = 600
    draws: Draws = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "probe")
        if isinstance(self.tasks, str):
            raise BadInput(f"probe.tasks={self.tasks} is one name; expected a list, such as probe.tasks=[{self.tasks}]")
        _known("tasks", self.tasks, known_rows())
        _known("transfer", self.transfer or {}, known_rows()[:-1])
        for setting, where in self._places():
            if not isinstance(where, str) or (where not in bundled_pairs() and not Path(where).expanduser().exists()):
                seen = f"probe.{setting}={where} is no file and no bundled contrast"
                raise BadInput(f"{seen}; expected a path or one of {', '.join(bundled_pairs())}")

    def further(self) -> dict[str, Sequence[str]]:
        """More data by task; a single place may stand without its list."""
        named = (self.transfer or {}).items()
        return {name: [places] if isinstance(places, str) else places for name, places in named}

    def _places(self) -> Iterator[tuple[str, Any]]:
        """Every place that data of the user's is read from, by its setting."""
        yield from ((f"extra.{name}", where) for name, where in (self.extra or {}).items())
        for name, places in self.further().items():
            yield from ((f"transfer.{name}", where) for where in places)


def _known(setting: str, names: Iterable[str], choices: Sequence[str]) -> None:
    for name in names:
        if name not in choices:
            raise BadInput(f"probe.{setting}: {name} is unknown; {expected(name, choices)}")
