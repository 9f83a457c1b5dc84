"""Faults that an engine can have, planted one by one: each is found by the checks of a first use."""

import math
from dataclasses import replace

import pytest
from hosted import both, written

from latentmech.errors import BadInput
from latentmech.model import every_check, truth_of
from latentmech.model.parity import engine_checks
from latentmech.model.scope import Scope
from latentmech.model.vllm import vllm_engine, worker
from latentmech.model.vllm.boot import booted

ALONE, BESIDE, PIECES = "states, one text", "states, texts side by side", "states, a text in several steps"
ONCE, EDITED, SCOPE = "an edit reaches the next block once", "logits under an edit", "a scope reaches what it says"
STEPS, CACHED = "generation under an edit, read again", {"enable_prefix_caching": True, "block_size": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("faults"), "llama", 0)


@pytest.fixture(scope="module")
def truth(folder):
    return truth_of(both(folder).own.model)


@pytest.fixture
def failed(folder, truth):
    def found(**arguments):
        checks = every_check(both(folder, **arguments).own.model, truth)
        return {check.name: check.size for check in checks if not check.passed}

    return found


def located_as(patch, change):
    """The requests of a step are other than they are; `change` is given one, its number and all of them."""
    init = worker.Step.__init__

    def wrong(step, located, device):
        init(step, [change(at, i, located) for i, at in enumerate(located)], device)

    patch.setattr(worker.Step, "__init__", wrong)


def spans_as(patch, change):
    right = vllm_engine.spans_of
    for module in (vllm_engine, engine_checks):
        patch.setattr(module, "spans_of", lambda scope, n_prompt: change(right, scope, n_prompt))


def test_hooks_on_the_wrong_block_are_found(failed, monkeypatch):
    after = worker._after
    monkeypatch.setattr(worker, "_after", lambda inside, level, out: after(inside, level % 3 + 1, out))
    assert {ALONE, BESIDE, ONCE, EDITED} <= set(failed())


def test_a_residual_that_is_left_out_of_the_sum_is_found(failed, monkeypatch):
    take = worker._take
    monkeypatch.setattr(worker, "_take", lambda inside, level, new, before: take(inside, level, new, None))
    found = failed()
    assert {ALONE, BESIDE} <= set(found) and "logits" not in found


def test_a_residual_that_is_left_out_of_what_is_edited_is_found(failed, monkeypatch):
    edited = worker._edited
    monkeypatch.setattr(worker, "_edited", lambda inside, place, new, before: edited(inside, place, new, None))
    turned = failed()
    assert ALONE not in turned and "an edit that turns" in turned


def test_rows_of_a_neighbour_are_found(failed, monkeypatch):
    located_as(monkeypatch, lambda at, i, every: replace(at, begin=every[max(i - 1, 0)].begin))
    found = failed()
    assert {BESIDE, "an edit and its neighbours"} <= set(found) and ALONE not in found


def test_an_edit_of_prompts_only_is_found(failed, monkeypatch):
    def unedited(at, *_):
        return at if at.first == 0 else replace(at, plan={k: v for k, v in at.plan.items() if k != "variant"})

    located_as(monkeypatch, unedited)
    assert STEPS in failed()


def test_a_scope_of_prompts_only_is_found(failed, monkeypatch):
    spans_as(monkeypatch, lambda right, scope, n: right(Scope(generated=False), n))
    assert SCOPE in failed()


def test_an_edit_that_is_made_twice_is_found(failed, monkeypatch):
    once = worker.edit_in

    def twice(said):
        edit = once(said)
        return lambda resid: edit(edit(resid))

    monkeypatch.setattr(worker, "edit_in", twice)
    assert {ONCE, EDITED} <= set(failed())


def test_an_edit_of_all_requests_is_found(failed, monkeypatch):
    def everybodys(at, _, every):
        edits = next((one.plan for one in every if "variant" in one.plan), {})
        return replace(at, plan={**at.plan, **{k: edits[k] for k in ("variant", "edited") if k in edits}})

    located_as(monkeypatch, everybodys)
    found = failed()
    assert "an edit and its neighbours" in found and EDITED not in found


@pytest.mark.parametrize("by", [1, -1])
def test_a_scope_that_is_shifted_by_one_is_found(failed, monkeypatch, by):
    def shifted(right, scope, n_prompt):
        return [(max(low + by, 0), high + by) for low, high in right(scope, n_prompt)]

    spans_as(monkeypatch, shifted)
    assert SCOPE in failed()


def test_tokens_that_are_counted_twice_when_run_again_are_found(failed, monkeypatch):
    right = worker.Located
    monkeypatch.setattr(worker, "Located", lambda plan, begin, first, end, _: right(plan, begin, first, end, first))
    found = failed()
    assert math.isnan(found["means, a text that is run again"]) and PIECES not in found


def test_the_offset_of_a_split_text_that_is_lost_is_found(failed, monkeypatch):
    right = worker.Located
    monkeypatch.setattr(worker, "Located", lambda plan, begin, first, end, _: right(plan, begin, 0, end - first, 0))
    found = failed()
    assert PIECES in found and ALONE not in found


def test_weights_of_another_folder_are_found(failed, monkeypatch, tmp_path):
    other = both(written(tmp_path, "llama", 1)).own.model
    monkeypatch.setattr(vllm_engine, "booted", lambda model: booted(other))
    assert {ALONE, "logits", "generation"} <= set(failed())


def test_another_precision_is_found(failed, monkeypatch, folder):
    other = both(folder, "bfloat16").own.model
    monkeypatch.setattr(vllm_engine, "booted", lambda model: booted(other))
    with pytest.raises(BadInput, match="runs it in another precision than float32"):
        failed()


def test_a_last_token_that_is_off_by_one_is_found(failed, monkeypatch):
    def before(at, *_):
        return replace(at, plan=at.plan | {"heads": [(max(p - 1, 0), to) for p, to in at.plan.get("heads", ())]})

    located_as(monkeypatch, before)
    assert {"logits", EDITED} <= set(failed())


def test_a_prefix_cache_that_is_read_is_found(failed, monkeypatch):
    assert not failed(**CACHED)
    sampling = vllm_engine._sampling

    def reading(one):
        found = sampling(one)
        found.skip_reading_prefix_cache = False
        return found

    monkeypatch.setattr(vllm_engine, "_sampling", reading)
    assert BESIDE in failed(**CACHED)
    monkeypatch.setattr(vllm_engine, "_prompt", lambda one: {"prompt_token_ids": list(one.ids)})
    assert {BESIDE, EDITED} <= set(failed(**CACHED))
