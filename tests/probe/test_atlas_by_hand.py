"""Rows and transfer from probes and states made by hand, so that every answer is known before it is scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentmech.activations import Activations
from latentmech.data import Examples, Task
from latentmech.model import Level
from latentmech.probe import AtlasSettings, LinearProbe
from latentmech.probe.atlas.study import row_of, transfers_of
from latentmech.probe.atlas.subject import Fitted, subjects_of
from latentmech.probe.fitting import LevelFit
from latentmech.tensors import save_tensors

LEVELS = (Level(None, "embed"), Level(0, "early"), Level(1, "late"))
SPLITS = ("train",) * 4 + ("dev",) * 4 + ("test",) * 4
TRUTH = np.array([0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1])


def subject(pairing=None, source="made", labels=TRUTH, splits=SPLITS):
    """Twelve texts, four to a split; with a pairing, two words of each are asked about."""
    texts = tuple(f"{letter} x" for letter in "abcdefghijkl")
    examples = Examples(
        ids=texts, texts=texts, groups=texts, splits=splits, source=source,
        columns={"kind": tuple("01"[i] for i in labels)},
        spans=None if pairing is None else (((0, 1), (2, 3)),) * 12,
    )  # fmt: skip
    asked = AtlasSettings(pairings=[pairing or "product"], unseen_classes="error")
    (made,) = subjects_of(Task("kind", "kind"), examples, asked)
    return made


def on_disk(path, **levels):
    rows = {name: torch.as_tensor(states, dtype=torch.float32) for name, states in levels.items()}
    (first, *_) = rows.values()
    save_tensors(path, {"row": torch.arange(len(first)), **rows}, {})
    return Activations(tuple(rows), len(first), first.shape[1], (path,))


def probe(level, weight):
    return LinearProbe(torch.tensor(weight), torch.zeros(2), ("0", "1"), level.hook_name, level.layer)


def fit(level, weight, right_on_dev=0, controls=(), control_dev=()):
    dev = np.where(np.arange(4) < right_on_dev, TRUTH[4:8], 1 - TRUTH[4:8])
    return LevelFit(
        level=level, probe=probe(level, weight), strength=1.0, dev_predicted=dev, dev_margin=np.zeros(4),
        controls=tuple(probe(level, own) for own in controls), control_dev=control_dev, code_bits=0.0,
    )  # fmt: skip


SAYS, DENIES = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]


def test_a_row_reads_every_reader_on_its_own_states_and_controls_on_their_own_labels(tmp_path):
    """A state is the class that its level says, so a probe of weight one repeats it. Dev chooses the block `early`."""
    said = {"embed": [0, 0, 0, 0], "early": [0, 1, 1, 0], "late": [1, 1, 1, 1]}  # the test texts are 0 1 1 1
    states = {name: np.eye(2)[[*TRUTH[:8], *own]] for name, own in said.items()}
    drawn = [np.array([*TRUTH[:8], *labels]) for labels in ([1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0])]
    controls = [DENIES, SAYS, DENIES]
    fits = [
        fit(LEVELS[0], SAYS, 2, controls, (0.1, 0.2, 0.3)),
        fit(LEVELS[1], SAYS, 4, controls, (0.3, 0.4, 0.9)),
        fit(LEVELS[2], SAYS, 3, controls, (0.5, 0.7, 0.2)),
    ]
    twin_fits = [fit(LEVELS[0], SAYS, 1), fit(LEVELS[1], SAYS, 2), fit(LEVELS[2], DENIES, 3)]
    own = on_disk(tmp_path / "own.safetensors", **states)
    twin = on_disk(tmp_path / "twin.safetensors", **states | {"late": np.eye(2)[[*TRUTH[:8], 1, 1, 1, 0]]})
    labellings = list(zip(("control_task", "control_task", "shuffled"), drawn, strict=True))
    row = row_of(Fitted(subject(), own, fits, labellings), Fitted(subject(), twin, twin_fits), 100)
    assert row.peak.hook_name == "early" and row.metric == "balanced_accuracy"
    assert [level.value for level in row.dev] == [0.5, 1.0, 0.75]
    assert row.test["probe"].value == pytest.approx((1 + 2 / 3) / 2)  # 0 of 0, 1 1 0 of 1 1 1
    assert row.test["embed"].value == 1 / 2
    assert row.test["random_init"].value == pytest.approx((1 + 1 / 3) / 2)  # 0 0 0 1
    accuracy = [row.also[name]["accuracy"].value for name in ("probe", "embed", "random_init")]
    assert accuracy == [3 / 4, 1 / 4, 2 / 4]
    # answers 1 0 0 1, 0 1 1 0 and 1 0 0 1 to the labels drawn, which are not the task's
    drawn_scores = {name: [score.value for score in scores] for name, scores in row.controls.items()}
    assert drawn_scores == {"control_task": pytest.approx([5 / 6, 1 / 2]), "shuffled": pytest.approx([5 / 6])}
    assert row.controls_dev["control_task"] == pytest.approx([0.15, 0.35, 0.6])
    assert row.controls_dev["shuffled"] == pytest.approx([0.3, 0.9, 0.2])
    rivals = {"embed", "random_init", "control_task", "shuffled", *row.surface}
    assert {lead.rival for lead in row.leads} == rivals
    assert row.selectivity.value == pytest.approx(5 / 6 - (5 / 6 + 1 / 2) / 2)


def test_levels_are_chosen_by_the_metric_and_not_by_how_common_a_class_is(tmp_path):
    """Of dev's five texts four are of class 1: one level always says so, another is right about both more often."""
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1])
    made = subject(labels=labels, splits=("train",) * 4 + ("dev",) * 5 + ("test",) * 3)
    always, both = np.ones(5, dtype=np.int64), np.array([0, 0, 0, 1, 1])
    fits = [
        replace(fit(level, SAYS), dev_predicted=said, dev_margin=np.zeros(5))
        for level, said in zip(LEVELS, (always, both), strict=False)
    ]
    states = on_disk(tmp_path / "own.safetensors", embed=np.eye(2)[labels], early=np.eye(2)[labels])
    row = row_of(Fitted(made, states, fits), None, 100)
    assert [level.value for level in row.dev] == pytest.approx([1 / 2, (1 + 2 / 4) / 2])
    assert row.peak.hook_name == "early", "accuracy would say 4/5 against 3/5"


def test_a_transferred_probe_reads_its_own_level_and_standardises_as_it_was_trained(tmp_path):
    """The first mention decides: above the mean of the source's training mentions is class 1."""
    here, there = subject("concatenation"), subject("concatenation", "there")
    weight = [[0.0, 0.0], [1.0, 0.0]]  # features are the first mention and the second

    def mentions(train, test):
        first = np.array([*train, *[0] * 4, *test], dtype=float)
        return np.stack([first, [*train, *[0] * 8]], 1).reshape(-1, 1)

    late = mentions([-1, 1, -1, 1], [-9, 9, 9, 9]), mentions([9, 11, 9, 11], [-3, 3, 3, -3])
    sets = []
    for i, (made, states) in enumerate(zip((here, there), late, strict=True)):
        activations = on_disk(tmp_path / f"{i}.safetensors", embed=-states, late=states)
        fits = [fit(LEVELS[0], weight, 2), fit(LEVELS[2], weight, 4)]
        sets.append(Fitted(made, activations, fits))
    rows = {one.subject.name: row_of(one, None, 100) for one in sets}
    assert [one.best for one in sets] == [1, 1]
    (matrix,) = transfers_of(sets, rows, 100)
    assert matrix.values == pytest.approx(np.array([[1, (1 + 2 / 3) / 2], [1 / 2, 1 / 2]]))
    # all test mentions lie below 10, the mean of the training ones there: a probe from there says 0 to all
    assert matrix.majority == pytest.approx([1 / 2] * 2)
