"""vLLM against the reference on small random models: what is read, what is said, what is edited, what is generated."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hosted import CLOSE, LONG, SCOPES, TEXTS, apart, batch_of, both, preempted, rows_of, same, variants_of, written
from peft import LoraConfig, get_peft_model
from test_adapter import write_card
from transformers import AutoModelForCausalLM

from latentmech.errors import BadInput
from latentmech.model import (
    Adapted,
    Local,
    Model,
    Moments,
    Request,
    Scope,
    every_check,
    levels_of,
    tokenise,
    truth_of,
)
from latentmech.model.parity.engine_checks import in_pieces
from latentmech.model.vllm import VllmEngine

ARCHITECTURES = ("llama", "gpt2", "gemma3", "qwen3", "mixtral")


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Both engines on a checkpoint of an architecture, booted once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    @cache
    def made(architecture: str = "llama", seed: int = 0, dtype: str = "float32", **arguments):
        path = folder / f"{architecture}-{seed}"
        return both(path if path.is_dir() else written(folder, architecture, seed), dtype, **arguments)

    return made


@pytest.mark.parametrize(("architecture", "dtype"), [*((a, "float32") for a in ARCHITECTURES), ("llama", "bfloat16")])
def test_a_sound_model_passes_every_check(engines, architecture, dtype):
    model = engines(architecture, dtype=dtype).own.model
    found = every_check(model, truth_of(model))
    assert [(check.name, check.level, check.size) for check in found if not check.passed] == []
    assert len({check.name for check in found}) == len(found) > 14


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_of_every_level_and_pooling_are_those_of_the_reference(engines, architecture):
    own = engines(architecture)
    spans = [(0, 0, 5), (0, 3, 9), (2, 10, 40), (1, 4, 4), (3, 0, 7), (2, 0, 2)]
    for pooling in ("last", "first", "mean", "weighted_mean", "last+mean"):
        found, expected = (rows_of(one, pooling=pooling, spans=spans) for one in (own.own, own.reference))
        assert apart(found, expected) < CLOSE, pooling


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_edits_of_every_kind_and_scope_do_the_same(engines, architecture):
    own = engines(architecture)
    batch, prompts = batch_of(own.own), torch.tensor([6, 2, 30, 5])
    variants = variants_of(own.model, rows_of(own.reference))
    for scope in SCOPES:
        expected, found = (
            one.logits(variants, batch, 3, n_prompt=prompts, scope=scope) for one in (own.reference, own.own)
        )
        assert found.shape == expected.shape and apart(found, expected) < 10 * CLOSE, scope
        moved = (expected - expected[0]).abs().amax((1, 2, 3))[1:]
        assert bool((moved > 1e-3).all()) or scope in SCOPES[2:], scope  # where it ends before the tokens looked at
    at = torch.tensor([[0, 3], [1, 2], [40, 7], [4, 0]])
    expected, found = (one.logits(variants[:2], batch, at) for one in (own.reference, own.own))
    assert apart(found, expected) < 10 * CLOSE


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_generated_under_edits_is_the_same(engines, architecture):
    own = engines(architecture)
    variants = variants_of(own.model, rows_of(own.reference))
    for scope in SCOPES[:2]:
        expected, found = (
            one.generate(variants, batch_of(one), 12, stop=(), scope=scope) for one in (own.reference, own.own)
        )
        assert same(found, expected), scope
    stop = sorted({int(i) for one in expected for i in one.ids[:, 3]})
    assert same(*(one.generate(variants[:3], batch_of(one), 12, stop=stop) for one in (own.own, own.reference)))


def test_long_texts_that_are_split_over_steps(engines):
    own = engines(max_num_batched_tokens=32, max_num_seqs=8)
    for pooling in ("last", "mean"):
        assert apart(rows_of(own.own, LONG, pooling), rows_of(own.reference, LONG, pooling)) < CLOSE
    variants = variants_of(own.model, rows_of(own.reference, LONG))[:4]
    expected, found = (one.generate(variants, batch_of(one, LONG), 8, stop=()) for one in (own.reference, own.own))
    assert same(found, expected)


def test_texts_that_are_put_back_are_counted_once(engines):
    own = engines(num_gpu_blocks_override=10, block_size=32, max_num_seqs=8, max_model_len=180)
    for pooling in ("last", "mean", "weighted_mean"):
        expected = rows_of(own.reference, LONG, pooling)
        with preempted(own) as names, in_pieces(own.own, 16):
            found = rows_of(own.own, LONG, pooling)
        assert len(names) > 0 and apart(found, expected) < CLOSE, pooling
    variants = variants_of(own.model, rows_of(own.reference, LONG))[:4]
    with preempted(own) as names:
        found = own.own.generate(variants, batch_of(own.own, LONG), 24, stop=(), scope=Scope(prompt=False))
    expected = own.reference.generate(variants, batch_of(own.own, LONG), 24, stop=(), scope=Scope(prompt=False))
    assert len(names) > 0 and same(found, expected)


def test_a_prefix_cache_is_not_read(engines):
    own = engines(enable_prefix_caching=True, block_size=32)
    clean, expected = rows_of(own.own, LONG), rows_of(own.reference, LONG)
    assert apart(clean, expected) < CLOSE and apart(rows_of(own.own, LONG), expected) < CLOSE
    variants = variants_of(own.model, expected)[:4]
    for _ in range(2):
        expected, found = (one.logits(variants, batch_of(one, LONG)) for one in (own.reference, own.own))
        assert apart(found, expected) < 10 * CLOSE


def test_requests_in_one_queue_do_not_touch_each_other(engines):
    own = engines()
    variants = variants_of(own.model, rows_of(own.reference))
    batch = batch_of(own.own)
    together = own.own.logits(variants, batch)
    for v in (0, 1, 4, len(variants) - 1):
        for i in range(len(TEXTS)):
            alone = own.own.logits([variants[v]], batch.alone(i))
            assert apart(together[v, i], alone[0, 0]) < CLOSE
    backwards = own.own.logits(variants[::-1], batch)
    assert apart(backwards.flip(0), together) < CLOSE


def test_two_models_in_one_process_keep_their_own_numbers(engines):
    one, other = engines(seed=0), engines(seed=1)
    for _ in range(2):
        assert apart(rows_of(one.own), rows_of(one.reference)) < CLOSE
        assert apart(rows_of(other.own), rows_of(other.reference)) < CLOSE
    assert apart(rows_of(one.own), rows_of(other.own)) > 0.1
    assert one.own.llm is not other.own.llm and replace(one.own).llm is one.own.llm


def test_two_adapters_of_one_base_keep_their_own_numbers(engines, tmp_path):
    base, found = Local(path=str(engines().model.checkpoint.folder)), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        folder, hf = tmp_path / f"adapter-{seed}", AutoModelForCausalLM.from_pretrained(base.path)
        update = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        get_peft_model(hf, update).save_pretrained(folder)
        write_card(folder, base)
        own = both(Adapted(base=base, adapter=str(folder))().folder)
        assert apart(rows_of(own.own), rows_of(own.reference)) < CLOSE
        found.append(rows_of(own.own))
    assert apart(found[0], found[1]) > 0.01


def test_half_precision_is_as_good_as_the_references(engines):
    own, exact = engines(dtype="bfloat16"), rows_of(engines().reference)
    found, expected = rows_of(own.own), rows_of(own.reference)
    assert found.dtype == torch.bfloat16
    assert 0 < apart(found, exact) < 2 * apart(expected, exact) and apart(expected, exact) < 0.1


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_moments_are_those_of_the_rows(engines, pooling):
    own = engines(num_gpu_blocks_override=8, block_size=32, max_num_seqs=8, max_model_len=180)
    tokens = tokenise(own.own.model, list(LONG), list(LONG))
    rows = np.array([(i, at, at + 2) for i, n in enumerate(tokens.lengths) for at in range(1, n - 3, 4)])
    names = tuple(level.hook_name for level in levels_of(own.model.n_layers))
    request = Request(model=own.own.model, tokens=tokens, rows=rows, hook_names=names, pooling=pooling)
    labels, texts = torch.arange(len(rows)) % 3, list(range(len(LONG)))
    with preempted(own) as put_back, in_pieces(own.own, 16):
        found = own.own.moments(request, texts, labels, 3, chunk_rows=90)
    assert put_back
    for engine, close in ((own.own, 1e-6), (own.reference, CLOSE)):
        states = rows_of(engine, LONG, pooling, rows.tolist())[:, request.rows_in(texts)]
        for moments, level in zip(found, states, strict=True):
            expected = Moments.of(level, labels, 3)
            assert torch.equal(moments.counts, expected.counts)
            assert apart(moments.means.flatten(), expected.means.flatten()) < close
            assert float((moments.within - expected.within).norm() / expected.within.norm()) < close


def test_moments_are_kept_in_chunks(engines, monkeypatch):
    own, asked = engines(), []
    call = VllmEngine._call

    def noted(engine, method, *args):
        asked.append((method, args))
        return call(engine, method, *args)

    monkeypatch.setattr(VllmEngine, "_call", noted)
    tokens = tokenise(own.own.model, list(LONG), list(LONG))
    rows = np.array([(i, at, at) for i, n in enumerate(tokens.lengths) for at in range(1, n)])
    request = Request(model=own.own.model, tokens=tokens, rows=rows, hook_names=("blocks.1.hook_resid_post",))
    (found,) = own.own.moments(request, list(range(len(LONG))), torch.zeros(len(rows), dtype=torch.long), 1, 100)
    held = [args[1] for method, args in asked if method == "latentmech_want"]
    assert sum(held) == len(rows) == found.n and max(held) < 100 + max(tokens.lengths) and len(held) > 5
    assert [method for method, _ in asked].count("latentmech_brought") == 0


def test_a_boot_says_nothing_of_its_own(engines, capfd):
    own = engines(max_num_seqs=3).own
    capfd.readouterr()
    assert own.llm is not None and capfd.readouterr() == ("", "")


def test_what_the_kernels_cannot_do_is_one_line(tmp_path):
    from architectures import write_checkpoint

    narrow = both(write_checkpoint(tmp_path / "narrow", "llama")).own
    with pytest.raises(BadInput, match=r"^vLLM cannot run .*narrow \(.*\); set model.engine=transformers$"):
        narrow.llm  # noqa: B018


def test_a_text_that_is_too_long_is_refused_and_nothing_is_left_of_it(engines):
    own = engines(max_model_len=64)
    with pytest.raises(BadInput, match=r"a text is longer than vLLM was given room for .*max_model_len"):
        rows_of(own.own, LONG)
    assert not own.own.llm.llm_engine.has_unfinished_requests()
    assert apart(rows_of(own.own, TEXTS[:2]), rows_of(own.reference, TEXTS[:2])) < CLOSE


def test_a_checkpoint_that_is_written_anew_is_loaded_anew(tmp_path):
    folder = written(tmp_path, "llama", 0)
    before = rows_of(both(folder).own)
    (folder / "model.safetensors").write_bytes((written(tmp_path, "llama", 1) / "model.safetensors").read_bytes())
    after = both(folder)
    assert apart(rows_of(after.own), before) > 0.1 and apart(rows_of(after.own), rows_of(after.reference)) < CLOSE


def test_the_command_line_runs_on_it(engines, tmp_path, monkeypatch):
    from commands import invoke

    monkeypatch.chdir(tmp_path)
    folder = engines().model.checkpoint.folder
    typed = ["verify=model", "model=local", f"model.source.path={folder}", "model.engine=vllm"]
    code, out, said = invoke(*typed, "model.engine_arguments={kv_cache_memory_bytes: 16777216}", "report=console")
    assert code == 0, said
    assert "transformers" in out and isinstance(Model(source=Local(path=str(folder)), engine="vllm").identity, dict)
