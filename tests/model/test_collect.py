"""Rows are pooled from the right tokens, whatever the batches were and however often they had to be halved."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch

from latentmech.activations import Request, collect
from latentmech.errors import ResourceError
from latentmech.model import host_memory, length_sorted, levels_of, pad, reading, text_rows, tokenise, word_rows

module = import_module("latentmech.model.collection")  # the package's attribute of that name is the function
HOOKS = tuple(level.hook_name for level in levels_of(3))
POOL = {"last": lambda t: t[-1], "first": lambda t: t[0], "mean": lambda t: t.mean(0)}
SAME = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def tokens(tiny, examples):
    return tokenise(tiny, examples.texts, examples.ids)


@pytest.fixture(scope="module")
def request_(tiny, examples, tokens):
    return Request(model=tiny, tokens=tokens, rows=word_rows(tokens, examples.spans, examples.ids), hook_names=HOOKS)


@pytest.fixture(scope="module")
def slowly(tiny, tokens):
    """Each text by itself, every level in full: `[level, pos, d_model]`."""
    full = []
    for ids in tokens.ids:
        kept = {}
        batch = pad([ids], 0, "right", tiny.torch_device)
        with reading(tiny, {name: lambda t, name=name: kept.update({name: t[0].clone()}) for name in HOOKS}) as run:
            run(batch)
        full.append(torch.stack([kept[name] for name in HOOKS]))
    return full


@pytest.fixture
def order(tokens):
    return length_sorted(tokens.lengths)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("unit", ["word", "text"])
@pytest.mark.parametrize("pooling", POOL)
def test_pooling_is_what_one_text_at_a_time_gives(request_, tokens, slowly, order, pooling, unit, side):
    rows = request_.rows if unit == "word" else text_rows(tokens)
    asked = replace(request_, rows=rows, pooling=pooling, padding_side=side)
    found = collect(asked, order)
    for place, number in enumerate(asked.rows_in(order)):
        text, first, last = rows[number]
        expected = torch.stack([POOL[pooling](level[first : last + 1]) for level in slowly[text]])
        torch.testing.assert_close(found[:, place], expected, **SAME)


def test_rows_in_any_order_are_found_again(request_, order):
    shuffled = np.random.default_rng(0).permutation(len(request_.rows))
    other = replace(request_, rows=request_.rows[shuffled])
    found, expected = torch.empty(2, len(HOOKS), len(shuffled), request_.model.d_model)
    found[:, shuffled[other.rows_in(order)]] = collect(other, order)
    expected[:, request_.rows_in(order)] = collect(request_, order)
    torch.testing.assert_close(found, expected, **SAME)


@pytest.mark.parametrize("budget", [1, 100, 10**6])
def test_the_token_budget_does_not_change_the_result(request_, order, budget):
    found, expected = collect(request_, order, token_budget=budget), collect(request_, order, token_budget=512)
    assert ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max() < 1e-6


def test_progress_adds_up_to_all_tokens(request_, tokens, order):
    done = []
    collect(request_, order, token_budget=300, progress=done.append)
    assert len(done) > 1
    assert sum(done) == tokens.lengths.sum()


@pytest.mark.parametrize("error", ["RuntimeError: not enough memory", "torch", "MemoryError"])
@pytest.mark.parametrize("fits", [1, 3])
def test_a_batch_that_does_not_fit_is_halved_and_the_result_is_the_same(request_, order, monkeypatch, fits, error):
    expected, sizes = collect(request_, order, 10**6), []
    monkeypatch.setattr(module, "reading", small_memory(fits, sizes, error))
    torch.testing.assert_close(collect(request_, order, 10**6), expected, **SAME)
    assert sizes[0] == len(order)
    assert max(size for size in sizes if size <= fits) >= 1


def test_one_text_that_does_not_fit_is_a_resource_error(request_, tokens, order, monkeypatch):
    monkeypatch.setattr(module, "reading", small_memory(0, []))
    with pytest.raises(ResourceError, match=f"one text of {tokens.lengths[order[0]]} tokens"):
        collect(request_, order)


def test_another_failure_is_passed_on_and_not_retried(request_, order, monkeypatch):
    calls = []

    @contextmanager
    def failing(model, readers):
        def fail(batch):
            calls.append(batch)
            raise RuntimeError("shapes cannot be multiplied")

        yield fail

    monkeypatch.setattr(module, "reading", failing)
    with pytest.raises(RuntimeError, match="shapes"):
        collect(request_, order)
    assert len(calls) == 1


def test_collecting_leaves_the_model_as_it_was(request_, order):
    """No hook stays, and what was handed out is a copy: writing into it changes nothing in the model."""
    bridge = request_.model.bridge
    ids = torch.arange(3, 40)[None]
    before = bridge(ids)
    collect(request_, order).fill_(1e6)
    assert torch.equal(bridge(ids), before)
    assert not any(point.has_hooks() for point in bridge.hook_dict.values())


def test_reading_does_not_write_into_the_stream(request_, order):
    """With every hook point read, the last level is what it is when read alone."""
    alone = collect(replace(request_, hook_names=HOOKS[-1:]), order)
    assert torch.equal(collect(request_, order)[-1:], alone)


def test_low_precision_is_kept_as_it_is(request_, tiny, order):
    low = replace(request_, model=replace(tiny, dtype="bfloat16"), pooling="mean")
    found, expected = collect(low, order), collect(replace(request_, pooling="mean"), order)
    assert found.dtype == torch.bfloat16
    assert ((found.float() - expected).norm(dim=-1) / expected.norm(dim=-1)).max() < 0.05


def small_memory(fits: int, sizes: list[int], error: str = "RuntimeError: not enough memory"):
    """A backbone that runs out of memory, half-way through, on batches of more than `fits` texts."""
    kinds = {"torch": torch.OutOfMemoryError("CUDA out of memory"), "MemoryError": MemoryError()}

    @contextmanager
    def reading_some(model, readers):
        with reading(model, readers) as run:
            yield partial(attempt, run, readers)

    def attempt(run, readers, batch):
        sizes.append(len(batch.ids))
        if len(batch.ids) > fits:
            readers[HOOKS[0]](torch.full((*batch.ids.shape, 32), torch.nan))
            raise kinds.get(
                error, RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory")
            )
        run(batch)

    return reading_some


def test_rows_for_a_gpu_go_to_page_locked_memory_and_are_waited_for(monkeypatch):
    """There is none here: what is asked of torch, and when."""
    asked, empty = [], torch.empty

    def made(*shape, pin_memory=False, **kwargs):
        asked.append(pin_memory)
        return empty(*shape, **kwargs)

    monkeypatch.setattr(torch, "empty", made)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda i: asked.append(f"cuda:{i}"))
    for kind in ("cpu", "cuda"):
        assert len(host_memory(7, torch.device(kind))) == 7
        module.arrived(torch.device(kind))
    assert asked == [False, True, "cuda:0", "cuda:1"]
