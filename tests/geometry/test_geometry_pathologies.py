"""Planted pathologies: each is named by the headline or a note, and what is sound beside it is not."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, WordPairs, task
from latentmech.data.analogies import Analogies, all_questions
from latentmech.geometry import AnalogiesStudy, DimensionStudy, MapStudy
from latentmech.geometry.analogies.account import headline as said_of_analogies
from latentmech.geometry.analogies.findings import AnalogiesFindings, SpaceResult
from latentmech.geometry.analogies.offsets import answers_in
from latentmech.geometry.analogies.questions import Asked
from latentmech.geometry.analogies.settings import AnalogiesSettings
from latentmech.geometry.map.account import _on_map
from latentmech.geometry.map.findings import LevelFindings, MapFindings
from latentmech.geometry.map.levels import Seen
from latentmech.geometry.map.points import MapDraw, Points, shuffled_labels
from latentmech.geometry.map.quality import agreements, ranks
from latentmech.geometry.map.settings import MapSettings
from latentmech.geometry.similarity import prepared
from latentmech.model import Level

DIMENSION = DimensionStudy(
    data=Corpus(limit=900), points=300, seeds=2, scales=(5, 10), random_init=False, shuffle_words=False, layers=[0]
)


@dataclass(frozen=True)
class PlantedActivations(Activations):
    """The same rows at every level."""

    rows: torch.Tensor

    def level(self, hook_name):
        return self.rows


@dataclass(frozen=True, kw_only=True)
class PlantedStore(ActivationStore):
    """Gives what `plant` makes of the number of rows."""

    plant: object

    def get(self, model, examples, levels, position="word_last"):
        n = sum(examples.sizes())
        return PlantedActivations(tuple(level.hook_name for level in levels), n, 30, (), torch.tensor(self.plant(n)))


def sheet(n, seed=0):
    """Points of a space with ten dimensions."""
    return np.random.default_rng(seed).normal(size=(n, 10)) @ np.eye(10, 30)


def notes_on(tiny, plant):
    report = DIMENSION(tiny, PlantedStore(plant=lambda n: plant(n).astype(np.float32)))
    return {name: note for note in report.notes for name in ("Copies", "Near-copies") if note.startswith(name)}


def test_duplicate_rows_are_counted(tiny):
    assert "0 to 0" in notes_on(tiny, sheet)["Copies"]
    copies = notes_on(tiny, lambda n: sheet(100)[np.arange(n) % 100])["Copies"]
    assert int(re.search(r"(\d+) to", copies)[1]) >= 200  # of the 300 drawn


def test_near_copies_are_named(tiny):
    assert "Near-copies" not in notes_on(tiny, sheet)
    jitter = np.random.default_rng(1)
    found = notes_on(tiny, lambda n: sheet(100)[np.arange(n) % 100] + 0.02 * jitter.normal(size=(n, 30)))
    assert "0 to 0" in found["Copies"] and "every level" in found["Near-copies"]


def analogies(second):
    """Twenty pairs of two relations, and what is said of a space in which `second` makes each second word."""
    rng, n = torch.Generator().manual_seed(0), 20
    relation = tuple("xy"[i % 2] for i in range(n))
    pairs = Analogies(
        first=tuple(f"a{i}" for i in range(n)), second=tuple(f"b{i}" for i in range(n)),
        relation=relation, questions=all_questions(relation),
    )  # fmt: skip
    asked = Asked(pairs, (*pairs.words, *(f"c{i}" for i in range(200))), n, None)
    first, others = torch.randn(n, 40, generator=rng), torch.randn(200, 40, generator=rng)
    vectors = prepared(torch.cat([first, second(first, rng), others]), "cosine")
    space = SpaceResult("layer_00", "0", 0, "state", answers_in(vectors, asked.questions, 5, 0))
    return AnalogiesFindings(settings=AnalogiesSettings(draws=100), asked=asked, results=[space], twin=[])


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (lambda first, rng: first + 0.3 * torch.randn(first.shape, generator=rng), "is not shown to add anything"),
        (lambda first, rng: first + torch.randn(2, 40, generator=rng).repeat(10, 1) * 3, "adds something"),
    ],
    ids=["next to the first word", "a step away"],
)
def test_an_analogy_that_needs_no_offset_is_said_to(tiny, second, said):
    found = analogies(second)
    assert f"it {said}" in said_of_analogies(found, tiny)
    assert found.estimate(found.results[0], "3cosadd").value > 0.5  # right in both


def test_a_random_model_is_noted(tiny, tmp_path):
    store = ActivationStore(root=str(tmp_path))
    small = {"random_init": False, "layers": [0]}
    words = AnalogiesStudy(data=WordPairs(limit=3), static=None, common=20, random_draws=0, examples=(), **small)
    maps = MapStudy(data=Corpus(limit=400), methods=["pca"], dimensions=[2], points=60, permutations=20, layers=[0])
    for study in (words, replace(DIMENSION, data=Corpus(limit=300), points=50), replace(maps, cluster_axes=0)):
        notes = study(tiny, store).notes
        assert any("random weights: nothing here is about language" in note for note in notes)


@pytest.mark.parametrize(("signal", "said"), [(0, "not above what"), (5, "above what")])
def test_a_map_of_noise_is_said_to_be_one(tiny, signal, said):
    study = MapStudy(
        data=Corpus(limit=600), methods=["pca"], dimensions=[2], permutations=40, layers=[0], cluster_axes=0
    )
    tags = np.unique(np.array(task("pos").labels(study.data()), dtype=str), return_inverse=True)[1]
    store = PlantedStore(
        plant=lambda n: (signal * np.eye(30)[tags] + np.random.default_rng(0).normal(size=(n, 30))).astype(np.float32)
    )
    headline = study(tiny, store).headline
    assert f"share its pos, {said} shuffled labels reach at their own best level" in headline
    assert ("do not agree with the labels" in headline) == (signal == 0)


def noise(rng, examples, n_levels=12, n=60):
    """A map's findings where labels have nothing to do with the points, at many levels."""
    labels = rng.integers(0, 3, n)
    labellings = np.stack([labels, *(rng.permutation(labels) for _ in range(40))])
    alike = [agreements(ranks(rng.normal(size=(n, 5))), labellings, 5) for _ in range(n_levels)]
    blank = np.zeros(n, dtype=np.int64)
    points = Points(blank, labels, ("a", "b", "c"), blank, blank, blank, True)
    levels = [
        LevelFindings(
            level=Level(i, ""), seen=[Seen(one, {}, {}, {})], remoteness=blank + 1.0, remoteness_null=1.0,
        )
        for i, one in enumerate(alike)
    ]  # fmt: skip
    return MapFindings(
        settings=MapSettings(neighbours=5, outliers=0), examples=examples, task="pos", levels=levels,
        draws=[MapDraw(0, points, labellings)],
    )  # fmt: skip


def test_the_best_of_many_levels_of_noise_is_not_above_chance(examples):
    """Against the shuffled labels of that level alone, it would be in a third of all maps."""
    rng = np.random.default_rng(0)
    maps = [noise(rng, examples) for _ in range(60)]
    alone = [own[0] > np.percentile(own[1:], 95) for own in (one.best.seen[0].agreements for one in maps)]
    assert sum(alone) > 18
    assert sum(one.chance_at_best[1] <= 0.05 for one in maps) <= 7


def test_labels_of_whole_documents_are_exchanged_by_document():
    """Three documents that lie apart, each with a label of its own: no evidence, however many words they have."""
    documents = np.repeat(np.arange(3), 40)
    rng = np.random.default_rng(0)
    rows = 5 * np.eye(3)[documents] + rng.normal(size=(120, 3))
    shuffles = np.stack([shuffled_labels(documents, documents, rng) for _ in range(100)])
    found = agreements(ranks(rows), np.vstack([documents, shuffles]), 5)
    assert found[0] > 0.9 and np.mean(found[1:] >= found[0]) == 1
    mixed = rng.integers(0, 2, 120)
    assert any(len(set(one[documents == 0])) > 1 for one in [shuffled_labels(mixed, documents, rng)])


def test_the_headline_of_a_map_is_that_of_the_flat_one_that_keeps_most_neighbours():
    def seen(recall):
        return {"label_agreement": 0.5, "neighbour_recall": recall, "trustworthiness": 0.9}

    flat, deep = np.zeros((4, 2)), np.zeros((4, 3))
    maps = {"pca_2d": (flat, 0.2), "tsne_2d": (flat, 0.4), "umap_3d": (deep, 0.9)}
    own = [
        Seen(np.array([0.6, 0.3, 0.3]), {name: at for name, (at, _) in maps.items()},
             {name: seen(recall) for name, (_, recall) in maps.items()}, {})
    ]  # fmt: skip
    said = _on_map(LevelFindings(level=Level(0, ""), seen=own, remoteness=np.ones(4), remoteness_null=1.0))
    assert said.startswith("The t-SNE 2-D map shows 50%") and "keeps 40% of the true neighbours" in said
