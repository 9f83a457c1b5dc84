"""Which rows of a step belong to what: made-up steps of a queue, against the same texts looked at whole."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from latentmech.model import Scope, pad, pool
from latentmech.model.vllm.vllm_engine import FOREVER, POOLED, level_of, spans_of
from latentmech.model.vllm.worker import Inside, Located, Step, Wanted, _edited, _take

RNG = np.random.default_rng(1)
CPU = torch.device("cpu")
LEVEL = 2


def plan_of(*rows, **others):
    return {"rows": [[first, last, to, POOLED.index(how)] for first, last, to, how in rows]} | others


def ran(texts, plans, steps):
    """Rows that a worker has after steps, each of them the (text, first, end) of its tokens in order."""
    n = 1 + max(row[2] for plan in plans for row in plan.get("rows", ()))
    wanted = Wanted(rows={LEVEL: torch.zeros(n, texts[0].shape[1])}, done=torch.zeros(n, dtype=torch.long))
    inside = Inside(None, None, torch.nn.Module(), torch.nn.ModuleList(), [1], True, wanted=wanted)
    run_to, headed = dict.fromkeys(range(len(texts)), 0), []
    for step in steps:
        located, begin = [], 0
        for text, first, end in step:
            located.append(Located(plans[text], begin, first, end, max(first, run_to[text])))
            run_to[text], begin = max(end, run_to[text]), begin + end - first
        inside.step = Step(located, CPU)
        stream = torch.cat([texts[text][first:end] for text, first, end in step])
        _take(inside, LEVEL, stream / 4, stream * 3 / 4)
        for to in (inside.step.picks[1], inside.step.sums[1]):
            wanted.done.index_add_(0, to, torch.ones_like(to))
        headed += list(zip(stream[inside.step.heads[0]], inside.step.heads[1].tolist(), strict=True))
    return wanted.rows[LEVEL], wanted.done.tolist(), headed


@pytest.fixture
def texts():
    return [torch.from_numpy(RNG.standard_normal((n, 8)).astype(np.float32)) for n in (7, 4)]


PLANS = [
    plan_of(
        (0, 6, 0, "mean"), (2, 5, 1, "weighted_mean"), (2, 5, 2, "last"), (2, 5, 3, "first"), heads=[(4, 0), (6, 1)]
    ),
    plan_of((1, 3, 4, "mean"), (3, 3, 5, "last"), heads=[(0, 2)]),
]
WHOLE = [[(0, 0, 7), (1, 0, 4)]]
SPLIT = [[(0, 0, 3)], [(1, 0, 2), (0, 3, 5)], [(0, 5, 7), (1, 2, 4)]]
AGAIN = [[(0, 0, 3), (1, 0, 1)], [(1, 1, 4), (0, 3, 6)], [(0, 0, 4)], [(0, 4, 7)]]


def expected(texts):
    rows = [(0, 0, 6, "mean"), (0, 2, 5, "weighted_mean"), (0, 2, 5, "last"), (0, 2, 5, "first")]
    rows += [(1, 1, 3, "mean"), (1, 3, 3, "last")]
    found = torch.empty(len(rows), 8)
    for i, (text, first, last, how) in enumerate(rows):
        pool(how, texts[text][None], *(torch.tensor([value]) for value in (0, first, last)), found[i : i + 1])
    return found


@pytest.mark.parametrize("steps", [WHOLE, SPLIT, AGAIN], ids=["whole", "split", "run again"])
def test_rows_are_those_of_whole_texts(texts, steps):
    found, done, headed = ran(texts, PLANS, steps)
    torch.testing.assert_close(found, expected(texts), rtol=1e-6, atol=1e-6)
    assert done == [7, 4, 1, 1, 3, 1]
    wanted = [texts[0][4], texts[0][6], texts[1][0]]
    assert sorted(to for _, to in headed) == [0, 1, 2] and all(torch.equal(row, wanted[to]) for row, to in headed)


def test_steps_of_any_size_give_the_same(texts):
    for _ in range(20):
        cuts = [
            [0, *sorted(RNG.choice(range(1, len(t)), RNG.integers(0, 3), replace=False).tolist()), len(t)]
            for t in texts
        ]
        steps = [[(i, first, end)] for i, at in enumerate(cuts) for first, end in pairwise(at)]
        found, done, _ = ran(texts, PLANS, steps)
        torch.testing.assert_close(found, expected(texts), rtol=1e-6, atol=1e-6)
        assert done == [7, 4, 1, 1, 3, 1]


def test_a_token_that_is_run_again_is_edited_again_but_counted_once():
    plan = plan_of((0, 3, 0, "mean"), heads=[(1, 0)], variant=0, edited=[(0, 2)])
    step = Step([Located(plan, 5, 0, 4, 3)], CPU)
    assert step.edited[0].tolist() == [5, 6] and step.sums[0].tolist() == [8] and len(step.heads[0]) == 0


def edited_rows(scope, n_prompt, steps):
    plan = {"variant": 0, "edited": spans_of(scope, n_prompt)}
    found = []
    for first, end in steps:
        rows = Step([Located(plan, 3, first, end, first)], CPU).edited.get(0, torch.empty(0))
        found += [first + int(row) - 3 for row in rows]
    return found


def test_spans_are_the_scope_of_the_text():
    for _ in range(200):
        n, first = int(RNG.integers(1, 9)), int(RNG.integers(0, 6))
        prompt, generated = [(True, True), (True, False), (False, True)][RNG.integers(3)]
        last = None if RNG.random() < 0.5 else first + int(RNG.integers(1, 6))
        scope, n_prompt = Scope(prompt=prompt, generated=generated, first=first, last=last), int(RNG.integers(0, n + 1))
        batch = pad([np.arange(n)], 0, "left", CPU)
        wanted = scope.of(batch, torch.tensor([n_prompt]))[0].nonzero().flatten().tolist()
        spans = spans_of(scope, n_prompt)
        assert [at for at in range(n) if any(low <= at < high for low, high in spans)] == wanted
        middle = int(RNG.integers(0, n + 1))
        assert edited_rows(scope, n_prompt, [(0, middle), (middle, n)]) == wanted


def test_a_scope_without_an_end_has_none():
    assert spans_of(Scope(), 3) == [(0, 3), (3, FOREVER)] and spans_of(Scope(prompt=False, first=5), 3) == [
        (5, FOREVER)
    ]
    assert spans_of(Scope(generated=False, first=3), 3) == []


def test_each_request_is_edited_by_its_own_variant():
    plans = [{"variant": v, "edited": [(0, FOREVER)]} for v in (1, 0)]
    located = [Located(plans[0], 0, 0, 2, 0), Located({}, 2, 0, 1, 0), Located(plans[1], 3, 4, 6, 4)]
    step = Step(located, CPU)
    variants = [{(1, "resid"): lambda r: r + 10}, {(1, "resid"): lambda r: -r, (2, "resid"): lambda r: r * 0}]
    inside = Inside(None, None, torch.nn.Module(), torch.nn.ModuleList(), [0], True, wanted=Wanted(variants=variants))
    inside.step = step
    new, before = torch.ones(5, 1), torch.arange(5.0)[:, None]
    found = _edited(inside, (1, "resid"), new, before)
    assert (found + before).flatten().tolist() == [-1, -2, 3, 14, 15]
    assert torch.equal(new, torch.ones(5, 1))
    found = _edited(inside, (2, "resid"), new, None)
    assert found.flatten().tolist() == [0, 0, 1, 1, 1]
    assert _edited(inside, (3, "resid"), new, before) is None


def test_positions_count_from_the_first_token_of_the_text():
    at = Located({}, 10, 4, 7, 4)
    assert [at.row(p) for p in (4, 6)] == [10, 12] and replace(at, first=5).row(5) == 10


def test_levels_are_numbered_from_what_the_first_block_is_given():
    names = [
        "blocks.0.hook_resid_pre",
        "blocks.0.hook_resid_post",
        "blocks.3.hook_resid_pre",
        "blocks.11.hook_resid_post",
    ]
    assert [level_of(name) for name in names] == [0, 1, 3, 12]
