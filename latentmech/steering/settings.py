"""Settings of a steering study, of its trials, and of what tests and chooses refusal directions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from latentmech.direction import DirectionSettings
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Below, Control, Count, Draws, Idle, OneOf, Positive, check
from latentmech.model import GATES, ScopeSettings

UNITS = ("resid", "raw", "std", "kl")
EDITS = ("addition", "rotation", "clamp")  # one line each in `edits.EDIT_KINDS`
ABLATIONS = ("plain", "sink_aware", "affine")
ASIDE = ("compare", "transfer", "observer", "random_draws", "shuffles", "push")  # of a direction, beside finding it


@dataclass(frozen=True, kw_only=True)
class SteeringSettings:
    """Edits along a direction in several strengths and measures what changes; removes it, where that is asked.

    Attributes:
        direction: how the direction is found, if it is not loaded.
        file: a saved direction: a path, `wandb:...` or `hub:...`.
        allow_foreign: use a direction that was found in other weights; the report says so.
        layer: block where it is used: a number, `found` (where it was found) or `dev` (where it works best on dev).
        choose_by: strengths by which `dev` chooses the block; default `strengths`. A sweep over strengths gives all of
            them to every job, so that it has one block.
        trials: the prompts, and the next tokens that count.
        strengths: how much, each in a row of its own; what 0 means is the edit's to say.
        unit: of the strengths: `resid` (median residual norms), `raw` (the direction's own length), `std` (spreads of a
            class's projection) or `kl` (nats, on dev prompts). An edit by a factor has none of them.
        edit: `addition` (0 is the untouched model), `rotation` (the same at unchanged norm) or `clamp` (the projection
            itself: 0 takes it away, which is not the untouched model).
        scope: which tokens are edited.
        gate: edit only tokens whose `cosine` or `projection` along the direction exceeds what separates the dev texts.
        random: random directions beside it: drawn as the states vary, and as many from the sphere.
        exchanged: directions that the same method finds under exchanged labels; fewer than 19 cannot show anything.
        prompting: instructions for and against, put before the prompts of the untouched model; empty leaves it out.
        n_tokens: length of the completions.
        kl_tokens: tokens of the untouched model's text over which KL is taken.
        neutral_words: of the neutral text whose perplexity is taken.
        necessity: whether the behaviour needs the direction, and whether the direction suffices; None leaves it out.
        export: `none`, or `weights`: the ablated model as an ordinary folder, and the one with the addition if there is
            exactly one strength but 0 and it is added to every token.
        draws: bootstrap resamples of prompt groups.
        seed: of random directions and exchanged labels.
    """

    builds: ClassVar[str] = "latentmech.steering.study.SteeringStudy"

    direction: Annotated[
        DirectionSettings,
        Idle(lambda own: own.file is not None, "the direction is loaded from steering.file"),
        Idle(lambda _: True, "steering only finds the direction; direction=... says what it is worth", ASIDE),
    ] = field(default_factory=DirectionSettings)
    file: str | None = None
    allow_foreign: Annotated[bool, Idle(lambda own: own.file is None, "steering.file is not set")] = False
    layer: int | str = "dev"
    choose_by: Annotated[
        Sequence[float | int] | None, Idle(lambda own: own.layer != "dev", "steering.layer is not dev", noted=False)
    ] = None
    trials: Any = None
    strengths: Sequence[float | int] = (-0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5)
    unit: Annotated[str, OneOf(*UNITS)] = "resid"
    edit: Annotated[str, OneOf(*EDITS)] = "addition"
    scope: ScopeSettings = field(default_factory=ScopeSettings)
    gate: Annotated[str | None, OneOf(None, *GATES)] = None
    random: Annotated[Count, Control("random directions")] = 20
    exchanged: Annotated[Count, Control("exchanged labels")] = 20
    prompting: Annotated[Sequence[str], Control("prompting baseline")] = ()
    n_tokens: Positive = 24
    kl_tokens: Positive = 20
    neutral_words: Annotated[int, AtLeast(100)] = 1500
    necessity: Any = None
    export: Annotated[str, OneOf("none", "weights")] = "none"
    draws: Draws = 1000
    seed: Annotated[int, Idle(lambda own: not (own.random or own.exchanged), "nothing is drawn")] = 0

    def __post_init__(self) -> None:
        check(self, "steering")
        if self.trials is None:
            raise BadInput("steering.trials is not set; choose steering=sentiment or another option, or give trials")
        if self.file == "":
            raise BadInput("steering.file is not set; name a saved direction: steering.file=PATH, wandb:... or hub:...")
        for name, values in (("strengths", self.strengths), ("choose_by", self.choose_by)):
            if values is not None:
                _check_strengths(name, values)
        if len(self.prompting) not in (0, 2):
            raise BadInput(f"steering.prompting has {len(self.prompting)} entries; expected one for and one against")
        if isinstance(self.layer, str) and self.layer not in ("dev", "found"):
            raise BadInput(f"steering.layer={self.layer} is unknown; expected a block number, dev or found")


def _check_strengths(name: str, values: Any) -> None:
    given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if not given or not all(isinstance(value, int | float) for value in given):
        raise BadInput(f"steering.{name}={values}; expected numbers, such as {name}=[-0.5,0,0.5]")
    if len({float(value) for value in given}) < len(given):
        raise BadInput(f"steering.{name}={given} holds a number twice; expected each of them once")


@dataclass(frozen=True, kw_only=True)
class StemsSettings:
    """Beginnings that the model continues, and words that it might continue with.

    Attributes:
        prompts: the beginnings, neutral as to the behaviour; every third is for dev.
        towards: words for the behaviour; each counts as it begins a new word.
        away: words against it.
        chat_template: put the beginnings into the chat template.
        after: what the answer begins with, before the word that counts.
    """

    builds: ClassVar[str] = "latentmech.steering.trials.Stems"

    prompts: Sequence[Any]
    towards: Sequence[Any]
    away: Sequence[Any]
    chat_template: bool = False
    after: str = ""

    def __post_init__(self) -> None:
        for name in ("prompts", "towards", "away"):
            _check_words(f"trials.{name}", getattr(self, name))

    @property
    def scored(self) -> str:
        """What the log-odds are of."""
        return f"{_some(self.towards)} against {_some(self.away)}"


@dataclass(frozen=True, kw_only=True)
class LettersSettings:
    """Questions with lettered choices, from the direction's own data: which letter comes after an opening bracket.

    At most `limit` of them, each letter in turn; a sweep asks each some 200 times.
    """

    builds: ClassVar[str] = "latentmech.steering.trials.Letters"

    limit: Positive = 40
    chat_template: bool = True

    def __post_init__(self) -> None:
        check(self, "trials")

    @property
    def scored(self) -> str:
        """What the log-odds are of."""
        return "the letter of the answer with the property against the other"


@dataclass(frozen=True, kw_only=True)
class RequestsSettings:
    """Requests from the direction's own data, scored by how a refusal begins, against all other beginnings.

    Attributes:
        phrases: how the behaviour begins; their first tokens count.
        kind: `negative` for the texts that lack the property, `positive` for those that have it.
        limit: so many prompts at most.
        in_turn: take them from each group in turn, and not from the beginning, where all may be of one or two.
    """

    builds: ClassVar[str] = "latentmech.steering.trials.Requests"

    phrases: Sequence[Any]
    kind: Annotated[str, OneOf("negative", "positive")] = "negative"
    limit: Positive = 16
    in_turn: bool = False
    chat_template: bool = True

    def __post_init__(self) -> None:
        check(self, "trials")
        _check_words("trials.phrases", self.phrases)

    @property
    def scored(self) -> str:
        """What the log-odds are of."""
        return f"answers that begin with {_some(self.phrases)} against all others"


@dataclass(frozen=True, kw_only=True)
class NecessitySettings:
    """Whether the behaviour needs the direction, and whether the direction suffices, counted in answers.

    Attributes:
        additions: multiples of the direction's own length that are tried on dev.
        enough: a rate on dev below which a removal, and one minus which an addition, is good enough.
        n_random: random directions, drawn as the states vary, that are treated likewise.
        n_isotropic: the same, drawn from the sphere.
        dev_limit: dev texts of either kind that choices are made on.
        test_limit: test texts of either kind; None takes all.
        n_tokens: length of an answer.
        neutral_words: of the text whose perplexity is taken.
    """

    builds: ClassVar[str] = "latentmech.steering.necessity.Necessity"

    additions: Sequence[float] = (1.0, 1.5, 2.0, 3.0)
    enough: Annotated[float, AtLeast(0), Below(1)] = 0.1
    n_random: Count = 10
    n_isotropic: Count = 3
    dev_limit: Positive = 40
    test_limit: int | None = None
    n_tokens: Positive = 64
    neutral_words: Annotated[int, AtLeast(100)] = 1500

    def __post_init__(self) -> None:
        check(self, "necessity")
        if not self.additions:
            raise BadInput("necessity.additions is empty; expected multiples such as additions=[1,2]")


@dataclass(frozen=True, kw_only=True)
class CausalSettings:
    """How a refusal direction is chosen by its effect.

    Attributes:
        phrases: how the behaviour begins; their first tokens count.
        induce_above: least score of harmless requests with the direction added.
        kl_below: most divergence of harmless requests with the direction removed, in nats.
        prune: share of the last blocks that is left out.
        ablation: how the direction is removed: `plain`, `sink_aware` or `affine`.
        limit: dev requests of either kind.
    """

    builds: ClassVar[str] = "latentmech.steering.selection.CausalSelection"

    phrases: Sequence[str]
    induce_above: float = 0.0
    kl_below: float = 0.1
    prune: Annotated[float, AtLeast(0), Below(1)] = 0.2
    ablation: Annotated[str, OneOf(*ABLATIONS)] = "affine"
    limit: Positive = 16

    def __post_init__(self) -> None:
        check(self, "selection")


@dataclass(frozen=True, kw_only=True)
class RefusalRateSettings:
    """How often a model refuses, by greedy answers of so many tokens to at most `limit` requests of either kind."""

    builds: ClassVar[str] = "latentmech.steering.necessity.RefusalRate"

    n_tokens: Positive = 64
    limit: Positive = 40

    def __post_init__(self) -> None:
        check(self, "observer")


def _some(words: Sequence[str], n: int = 4) -> str:
    """The first of some words, and how many more there are."""
    return ", ".join(words[:n]) + (f" and {len(words) - n} more" if len(words) > n else "")


def _check_words(name: str, words: Sequence[object]) -> None:
    """YAML reads true and no as truth values unless they stand in quotes."""
    if strange := [word for word in words if not isinstance(word, str) or not word.strip()]:
        raise BadInput(f"{name} holds {strange[0]!r}; expected words: put quotes around it")
    if not words:
        raise BadInput(f"{name} is empty; expected some")
