"""What each study claims of pure noise, and of one planted effect: its own code from made states to the headline.

Every `Case` makes data from a seed, runs the study's own verdict on them, and says whether it made its claim (`said`)
and whether a naive rule would have (`ahead`: in points ahead of every rival, however little).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from direction.planted import QUICK, no_neutral_text
from probe.stubbed import EACH, GROUPS, SPLITS, Made, Store, knowing, noise, texts_study, words_study

from latentmech.activations import ActivationStore
from latentmech.data import Collection, Examples, Library, Pairs
from latentmech.data.analogies import Analogies, all_questions
from latentmech.data.contrast import Contrast, contrast_of
from latentmech.direction import DirectionStudy
from latentmech.direction.account import headline as said_of_direction
from latentmech.geometry import AnalogiesSettings
from latentmech.geometry.analogies.account import headline as said_of_analogies
from latentmech.geometry.analogies.findings import AnalogiesFindings, SpaceResult
from latentmech.geometry.analogies.offsets import answers_in
from latentmech.geometry.analogies.questions import Asked
from latentmech.geometry.similarity import prepared
from latentmech.model import Level, Model, Tiny
from latentmech.probe.account import headline as said_of_probe
from latentmech.probe.atlas.account import gains_in_words, order_in_words
from latentmech.probe.atlas.findings import ORDER, AtlasFindings, AtlasRow
from latentmech.retrieval import RetrievalStudy
from latentmech.retrieval.account import headline as said_of_retrieval
from latentmech.statistics import mean_of
from latentmech.steering.damage import Divergence
from latentmech.steering.effects import DoseResponse
from latentmech.steering.nulls import EXCHANGED, ISOTROPIC, RANDOM
from latentmech.steering.sweep import Response, SteeringSweep

CLAIM = "It beats the strongest rival"
WORDS = np.array("river stone house music paper light field water bread cloud glass table".split())
RNG = np.random.default_rng


@dataclass(frozen=True)
class Outcome:
    """Whether the study made its claim, and whether a rule that looks at points alone would have."""

    said: bool
    ahead: bool


@dataclass(frozen=True)
class Case:
    """One kind of noise for one study.

    Attributes:
        nominal: how often the claim may be made of noise, by the rule that the study states.
        effect: what is planted to see how often it is found.
        of: from a seed, and whether the effect is planted, to what was claimed.
    """

    study: str
    noise: str
    nominal: float
    effect: str
    of: Callable[[int, bool], Outcome]


@cache
def model() -> Model:
    """The tiny model: its sizes and its tokenizer; no case reads its weights."""
    return Model(name="tiny", source=Tiny())


def texts_of(rng, n: int) -> list[str]:
    """Texts of six words that say nothing, each there once."""
    return [f"{' '.join(rng.choice(WORDS, size=6))} {i:03d} today." for i in range(n)]


LABELS = {
    "two classes, by text": lambda rng, shape: rng.integers(0, 2, shape),
    "80 % yes, by text": lambda rng, shape: (rng.random(shape) < 0.8).astype(int),
    "three classes, by text": lambda rng, shape: rng.integers(0, 3, shape),
    "two classes, by document": lambda rng, shape: by_document(rng.integers(0, 2, len(SPLITS)), shape),
    "three classes, by word": lambda rng, shape: rng.integers(0, 3, shape),
    "80 % yes, by word": lambda rng, shape: (rng.random(shape) < 0.8).astype(int),
    "three classes, by document": lambda rng, shape: by_document(rng.integers(0, 3, len(SPLITS)), shape),
}


def by_document(labels, shape):
    return np.broadcast_to(labels[GROUPS].reshape(-1, *[1] * (len(shape) - 1)), shape)


def columns(labels):
    """Labels as numbers that states can hold."""
    return np.eye(3)[labels] if labels.max() > 1 else labels


def probe_texts(kind: str, size: float) -> Callable[[int, bool], Outcome]:
    """Whole texts of 40 documents that lie apart in every space."""

    def of(seed: int, effect: bool) -> Outcome:
        rng = RNG(seed)
        labels = LABELS[kind](rng, (len(GROUPS),))
        states = knowing(columns(labels), size, seed=seed) if effect else noise(len(GROUPS), seed=seed)
        return probed(texts_study(texts_of(rng, len(GROUPS)), labels, layers=[0, 1]), states)

    return of


def probe_words(kind: str, size: float) -> Callable[[int, bool], Outcome]:
    """Words of the same documents, whose states also spell them."""

    def of(seed: int, effect: bool) -> Outcome:
        rng, rows = RNG(seed), np.repeat(GROUPS, 3)
        place = rng.integers(0, 40, size=(len(GROUPS), 3))
        labels = LABELS[kind](rng, place.shape)
        told = columns(labels.ravel())
        base = knowing(told, size, seed=seed, groups=rows) if effect else noise(rows.size, seed=seed, groups=rows)
        spelled = rng.normal(size=(40, 16))[place.ravel()]
        sentences = np.char.add(WORDS[place % len(WORDS)], place.astype(str))
        return probed(words_study(sentences, labels, layers=[0, 1]), lambda twin, level: base(twin, level) + spelled)

    return of


def probed(study, states) -> Outcome:
    found = study.find(model(), Store(states))
    ahead = all(lead.difference.value > 0 for lead in found.leads)
    return Outcome(CLAIM in said_of_probe(found) or ") it beats the strongest rival" in said_of_probe(found), ahead)


@dataclass(frozen=True)
class MadePairs(Pairs):
    """A contrast that is there already."""

    contrast: Contrast | None = None

    def __call__(self):
        return self.contrast


@dataclass(frozen=True, kw_only=True)
class ByText(ActivationStore):
    """Gives each text its row of the states that `states(twin, level)` makes; level 0 is the embedding."""

    states: object
    place: object

    def get(self, model, examples, levels, position):
        at = [self.place[text] for text in examples.texts]
        numbers = [0 if level.layer is None else level.layer + 1 for level in levels]
        rows = [torch.from_numpy(self.states(model.random_init, number)[at]).float() for number in numbers]
        named = {level.hook_name: states for level, states in zip(levels, rows, strict=True)}
        return Made(tuple(named), *rows[0].shape, (), named)


TOPICS, TEXTS = 12, 6


def direction(unit: str, size: float) -> Callable[[int, bool], Outcome]:
    """Texts of 12 topics that lie apart, their labels given by row, within pairs, or by topic."""

    def of(seed: int, effect: bool) -> Outcome:
        rng, n = RNG(seed), TOPICS * TEXTS
        label = {
            "row": lambda: rng.permutation(np.arange(n) % 2),
            "pair": lambda: (np.arange(n) + np.repeat(rng.random(n // 2) < 0.5, 2)) % 2,
            "topic": lambda: np.repeat(np.concatenate([rng.permutation(np.arange(k) % 2) for k in (8, 2, 2)]), TEXTS),
        }[unit]()
        topic, texts = np.repeat(np.arange(TOPICS), TEXTS), texts_of(rng, n)
        split = np.array(["train"] * 8 + ["dev"] * 2 + ["test"] * 2)[topic]
        joint = Examples(
            ids=tuple(map(str, range(n))), texts=tuple(texts), groups=tuple(f"topic {t}" for t in topic),
            splits=tuple(split.tolist()), own_splits=True, source="made",
        )  # fmt: skip
        data = MadePairs(contrast=contrast_of(joint, label > 0, paired=unit == "pair"))
        states = knowing(label, size, seed=seed, groups=topic) if effect else noise(n, seed=seed, groups=topic)
        settings = QUICK | {"random_draws": 19, "shuffles": 19, "halvings": 0, "layers": [0, 1]}
        store = ByText(states=states, place={text: i for i, text in enumerate(texts)})
        with no_neutral_text():
            found = DirectionStudy(data=data, name="made", **settings).find(model(), store)
        said = said_of_direction(found, model())
        ahead = all(lead.difference.value > 0 for lead in found.left_out.leads.values())
        return Outcome(CLAIM in said and "not shown to beat" not in said, ahead)

    return of


DOSES, PROMPTS = (-1.0, -0.5, 0.0, 0.5, 1.0), 12


def steering(bend: float, size: float) -> Callable[[int, bool], Outcome]:
    """A direction that is one of those without meaning: they move prompts by slope and by bend, up or down."""

    def of(seed: int, effect: bool) -> Outcome:
        rng, at = RNG(seed), np.array(DOSES)[:, None]

        def response(n: int, slope: float = 0.0, scale: float = 1.0) -> Response:
            lean, bent = scale * rng.normal(slope, 1, (n, 1, 1)), bend * scale * rng.normal(size=(n, 1, 1))
            prompt = scale * rng.normal(0, 0.3, (n, 1, PROMPTS))
            change = (lean + prompt) * at + bent * at**2 + 0.1 * rng.normal(size=(n, len(at), PROMPTS)) * (at != 0)
            kl = np.broadcast_to(scale * rng.uniform(0.5, 1.5, (n, 1, 1)) * at**2, change.shape)
            return Response(DOSES, np.zeros(PROMPTS), change, kl.copy())

        own = response(1, size if effect else 0.0)
        others = {RANDOM: response(20), ISOTROPIC: response(20, scale=0.3), EXCHANGED: response(20)}
        cost = Divergence(torch.full((len(at), PROMPTS), 0.3), torch.full((len(at), PROMPTS), 2.0))
        sweep = SteeringSweep(
            own=own, others=others, cost=cost, neutral=[10.0] + [12.0] * len(at),
            answers=[["a b"] * PROMPTS] * (len(at) + 1), prompting={},
        )  # fmt: skip
        clusters, nothing = np.arange(PROMPTS), [dict[str, float]()] * len(at)
        one = DoseResponse(sweep=sweep, clusters=clusters, singles=nothing, neutral=0.0, draws=100)
        largest = {end: np.abs(others[RANDOM].at(end).mean(1)).max() for end in (-1.0, 1.0)}
        ahead = all(abs(own.at(end).mean()) > most for end, most in largest.items())
        return Outcome(one.verdict.said.startswith("It rises with the strength"), ahead)

    return of


@dataclass(frozen=True)
class MadeLibrary(Library):
    """A collection that is there already."""

    collection: Collection | None = None

    def __call__(self):
        return self.collection


def retrieval(size: float) -> Callable[[int, bool], Outcome]:
    """Queries that are judged to ask for one of 60 documents each, half of them on dev."""

    def of(seed: int, effect: bool) -> Outcome:
        rng, n = RNG(seed), 60
        texts = texts_of(rng, 2 * n)
        names = [tuple(f"{kind}{i}" for i in range(n)) for kind in "dq"]
        documents, queries = (
            Examples(ids=ids, texts=tuple(part), groups=ids, splits=splits)
            for ids, part, splits in zip(
                names, (texts[:n], texts[n:]), (("",) * n, ("dev",) * (n // 2) + ("test",) * (n // 2)), strict=True
            )
        )
        judged = {f"q{i}": {f"d{i}": 1} for i in range(n)}
        base = noise(2 * n, seed=seed, groups=np.zeros(2 * n, dtype=int))

        def states(twin, level):
            rows = base(twin, level)
            if effect and level and not twin:
                rows[n:] += size * rows[:n]
            return rows

        settings = {"poolings": ["mean"], "spaces": ["raw"], "layers": [0, 1], "pairs": None, "cluster_by": None}
        data = MadeLibrary(
            collection=Collection(documents=documents, queries=queries, judgements=judged, source="made")
        )
        store = ByText(states=states, place={text: i for i, text in enumerate(texts)})
        found = RetrievalStudy(data=data, shuffles=39, draws=100, **settings).find(model(), store)
        ahead = all(lead.difference.value > 0 for lead in found.leads)
        return Outcome(CLAIM in said_of_retrieval(found, model()), ahead)

    return of


def analogies(near: float, size: float) -> Callable[[int, bool], Outcome]:
    """Two relations of 15 pairs in an embedding and 12 blocks: second words are `near` times first ones, and noise.

    The effect is a step, the same for all pairs of a relation, from first words to second ones near them.
    """

    def of(seed: int, effect: bool) -> Outcome:
        rng, n = torch.Generator().manual_seed(seed), 30
        relation = tuple("xy"[i % 2] for i in range(n))
        pairs = Analogies(
            first=tuple(f"a{i}" for i in range(n)), second=tuple(f"b{i}" for i in range(n)),
            relation=relation, questions=all_questions(relation),
        )  # fmt: skip
        asked = Asked(pairs, (*pairs.words, *(f"c{i}" for i in range(60))), n, None)
        kinds, results = torch.tensor([i % 2 for i in range(n)]), []
        for block in range(-1, 12):
            first, others = torch.randn(n, 16, generator=rng), torch.randn(60, 16, generator=rng)
            second = max(near, effect) * first + torch.randn(n, 16, generator=rng)
            second += size * effect * torch.randn(2, 16, generator=rng)[kinds]
            vectors = prepared(torch.cat([first, second, others]), "cosine")
            answers = answers_in(vectors, asked.questions, 3, seed)
            named = ("embed", "embed", None) if block < 0 else (f"layer_{block:02d}", str(block), block)
            results.append(SpaceResult(*named, "state", answers))
        settings = AnalogiesSettings(template="{}", draws=100)
        found = AnalogiesFindings(settings=settings, asked=asked, results=results, twin=[])
        ahead = all(lead.difference.value > 0 for lead in found.leads(found.best, "3cosadd"))
        return Outcome("it adds something" in said_of_analogies(found, model()), ahead)

    return of


LEVELS = [Level(None, "embed"), *(Level(i, f"block {i}") for i in range(10))]


def atlas_row(rng, stage: str, shares, documents: int = 15, words: int = 40) -> AtlasRow:
    """One task whose levels are right in these shares of words, alike within documents; its rivals in half of them."""
    clusters = np.repeat(np.arange(documents), words)
    alike = rng.normal(0, 0.05, (2, documents))[:, clusters]
    luck = {split: rng.random(len(clusters)) for split in ("dev", "test")}

    def right(split: str, share: float) -> object:
        own = np.where(rng.random(len(clusters)) < 0.7, luck[split], rng.random(len(clusters)))
        return mean_of((own < share + alike[int(split == "test")]) * 1.0, clusters, 0, 1)

    def readers(split: str, names: str) -> dict[str, object]:
        return {name: mean_of((rng.random(len(clusters)) < 0.5) * 1.0, clusters, 0, 1) for name in names.split()}

    row = AtlasRow(
        name=stage, stage=stage, unit="word", metric="accuracy", source="made", n_train=9, levels=LEVELS,
        documents=[f"{i:03d}" for i in range(documents)], dev=[right("dev", share) for share in shares],
        surface=readers("dev", "majority lookup"), test={}, draws=100,
    )  # fmt: skip
    probe = {"probe": right("test", shares[row.best])}
    return replace(row, test=probe | readers("test", "majority lookup embed random_init"))


def atlas_of(rows) -> AtlasFindings:
    return AtlasFindings(
        model="made", rows=rows, transfers=[], data=[], method="ridge", site="resid_post", twin_step=1
    )  # fmt: skip


def atlas(size: float) -> Callable[[int, bool], Outcome]:
    """Six tasks that no level holds: is any of them said to be read better than without the model?"""

    def of(seed: int, effect: bool) -> Outcome:
        rng = RNG(seed)
        shares = np.full(11, 0.5) + np.where(np.arange(11) > 4, size * effect, 0.0)
        found = atlas_of([atlas_row(rng, f"task {i}", shares) for i in range(6)])
        ahead = any(all(lead.difference.value > 0 for lead in row.leads) for row in found.rows)
        said = gains_in_words(found)
        return Outcome(not said.startswith(("0 of", "No task")), ahead)

    return of


def atlas_order(apart: int) -> Callable[[int, bool], Outcome]:
    """Three stages that gain at the same depth: is one said to come after the other?"""

    def of(seed: int, effect: bool) -> Outcome:
        rng, places = RNG(seed), [5 + apart * effect * step for step in (-1, 0, 1)]
        shares = [np.where(np.arange(11) < at, 0.5, 0.65) for at in places]
        found = atlas_of([atlas_row(rng, stage, one) for stage, one in zip(ORDER, shares, strict=True)])
        at = [stage.arrival.value for stage in found.stages]
        said = order_in_words(found)
        return Outcome("holds for this model" in said, len(at) == 3 and at[0] < at[1] < at[2])

    return of


SURE = 0.025
CASES = (
    *(
        Case("probe, texts", kind, SURE, f"a shift of {size:g} sd", probe_texts(kind, size))
        for kind, size in (
            ("two classes, by text", 1.5),
            ("80 % yes, by text", 2.0),
            ("three classes, by text", 1.0),
            ("two classes, by document", 2.0),
        )
    ),
    *(
        Case("probe, words", kind, SURE, f"a shift of {size:g} sd", probe_words(kind, size))
        for kind, size in (
            ("three classes, by word", 0.7),
            ("80 % yes, by word", 1.5),
            ("three classes, by document", 2.0),
        )
    ),
    Case("atlas, tasks", "six tasks, no level better", SURE, "ten points from block 4 on", atlas(0.1)),
    Case("atlas, order", "three stages at one depth", SURE**2, "three blocks apart", atlas_order(3)),
    *(
        Case("direction", f"labels by {unit}", SURE, f"a shift of {size:g} sd", direction(unit, size))
        for unit, size in (("row", 1.0), ("pair", 1.0), ("topic", 2.0))
    ),
    Case("steering", "one of the random directions", 1 / 41, "4 sd of these", steering(0.3, 4.0)),
    Case("steering", "the same, mostly damage", 1 / 41, "8 sd of these", steering(2.0, 8.0)),
    Case("retrieval", "judgements at random", SURE, "half of the answer's state", retrieval(0.5)),
    Case("analogies", "words at random", SURE, "a step of 1 sd", analogies(0.0, 1.0)),
    Case("analogies", "second words near first ones", SURE, "a step of 1 sd", analogies(1.0, 1.0)),
)
assert EACH * len(SPLITS) == len(GROUPS)
