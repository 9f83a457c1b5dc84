"""Tiny random models of every architecture against plain transformers: what is right, gone round or refused.

    scripts/check-models                      all of them, into experiments/models/
    scripts/check-models --only opt,rwkv --out runs/models

Each has four blocks (or as few as its pattern of blocks allows), d_model 32 and random weights large enough that every
block matters. The checks are those of `verify=model`; `as run` is what studies call afterwards (`ActivationStore`'s
reading, packed logits and packed generation under an edit, on whatever road the checks have chosen) against plain
transformers once more, so a cell that is silently wrong would show there.
"""

import argparse
import csv
import importlib.metadata
import io
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from latentmech.errors import LatentmechError
from latentmech.model import (
    Check,
    Local,
    Model,
    Tiny,
    Truth,
    every_check,
    levels_of,
    packed_generate,
    packed_logits,
    pad,
    reading,
    trusted,
    truth_of,
)

OUT = Path(__file__).parent.parent / "experiments" / "models"
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "attention_hidden_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "ffn_hidden_size", "moe_intermediate_size"), 48),
    **dict.fromkeys(("shared_expert_intermediate_size", "lru_width", "intermediate_size_mlp"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 256),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_k", "moe_topk"), 2),
    **dict.fromkeys(("sliding_window", "window_size", "local_attention", "attention_window_size"), 8),
    **dict.fromkeys(("head_dim", "query_pre_attn_scalar", "rotary_dim", "attention_head_dim"), 8),
    "vocab_size": 259,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
MLA = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8}
MLA |= {"num_key_value_heads": 4, "head_dim": 8, "n_group": 2, "topk_group": 2, "first_k_dense_replace": 1}
MAMBA = {"state_size": 8, "conv_kernel": 4, "time_step_rank": 4, "intermediate_size": 64}
DELTA = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
SSM = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
ZAMBA = {"mamba_d_state": 8, "mamba_headdim": 16, "n_mamba_heads": 4, "mamba_ngroups": 1, "chunk_size": 8}
ZAMBA |= {"adapter_rank": 8, "num_mem_blocks": 1, "attention_hidden_size": 64, "attention_head_dim": 16}
ZAMBA |= {"layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], "use_mem_rope": True}
OWN: dict[str, dict[str, Any]] = {  # what a type needs beside SIZES, or in their place
    "bamba": SSM | {"attn_layer_indices": [1, 3]},
    "bert": {"is_decoder": True},
    "bert, no decoder": {"is_decoder": False},
    "codegen": {"rotary_dim": 4},
    "deepseek_v2": MLA | {"topk_method": "greedy", "n_group": 1, "topk_group": 1},
    "deepseek_v3": MLA,
    "falcon": {"new_decoder_architecture": False, "multi_query": True, "parallel_attn": True},
    "falcon 40b form": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon_h1": SSM | {"mamba_d_ssm": 64},
    "falcon_mamba": MAMBA,
    "gemma4_text": {"global_head_dim": 8, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 259},
    "glm4_moe": {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    "glm4_moe_lite": MLA | {"n_group": 1, "topk_group": 1},
    "gpt_bigcode": {"multi_query": True},
    "gpt_bigcode MHA": {"multi_query": False},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "granite": {"residual_multiplier": 0.5, "embedding_multiplier": 2.0},
    "granitemoe": {"residual_multiplier": 0.5},
    "granitemoehybrid": SSM | {"layer_types": ["mamba", "attention", "mamba", "attention"]},
    "gpt_neox in turn": {"use_parallel_residual": False},
    "gptj": {"rotary_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "mamba_dt_rank": 4},
    "jetmoe": {"kv_channels": 8, "num_key_value_heads": 2},
    "mamba": MAMBA,
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8, "conv_kernel": 4},
    "opt 350m form": {"do_layer_norm_before": False, "word_embed_proj_dim": 16},
    "opt": {"do_layer_norm_before": True},
    "bloom post-norm": {"apply_residual_connection_post_layernorm": True},
    "olmo_hybrid": DELTA | {"linear_num_key_heads": 4},
    "phi": {"num_key_value_heads": 4},
    "qwen3_5_text": DELTA,
    "qwen3_next": DELTA,
    "recurrent_gemma": {"attention_window_size": 8, "block_types": ["recurrent", "attention"]},
    "youtu": MLA,
    "zamba2": ZAMBA,
}  # fmt: skip
TYPES = """
    afmoe apertus arcee bamba bert bitnet bloom codegen cohere cohere2 deepseek_v2 deepseek_v3 deepseek_v4 ernie4_5
    ernie4_5_moe exaone4 falcon falcon_h1 falcon_mamba flex_olmo gemma gemma2 gemma3_text gemma4_text glm glm4
    glm4_moe gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj granite granitemoe granitemoehybrid hrm_text
    hunyuan_v1_dense jamba jetmoe lfm2 llama llama4_text mamba mamba2 minimax_m2 ministral3 mistral mixtral
    modernbert-decoder mpt nanochat nemotron nemotron_h olmo olmo2 olmo3 olmo_hybrid olmoe openai-gpt opt phi phi3 qwen2
    qwen2_moe qwen3 qwen3_5_text qwen3_moe qwen3_next recurrent_gemma rwkv seed_oss smollm3 stablelm starcoder2
    vaultgemma xglm youtu zamba2
"""
FORMS = {
    "bert, no decoder": "bert",
    "gpt_neox in turn": "gpt_neox",
    "bloom post-norm": "bloom",
    "falcon 40b form": "falcon",
    "gpt_bigcode MHA": "gpt_bigcode",
    "opt 350m form": "opt",
}
GROUPS = {  # column -> the checks whose largest difference it shows
    "read": ("states, one text", "states, padded right", "logits, padded right"),
    "left padding": ("states, padded left", "logits, padded left"),
    "edit": ("an edit reaches the next block once", "logits under an edit", "strength 0 changes no bit"),
    "cache": ("states, with a cache", "generation, with a cache"),
    "generation": ("generation, whole text",),
    "lens": ("the head on the last states",),
    "ablation": ("attn_out and mlp_out are all that is written", "ablation leaves nothing behind"),
}


ABOUT = """# Models of every architecture against plain transformers
`scripts/check-models` makes a tiny model of each architecture on the spot (four blocks, d_model 32, random weights
large enough that every block matters), compares it with plain transformers as `verify=model` does, and then runs once
more what studies call. `models.csv` has the same table.

Numbers are the largest relative differences: `read` of states at every level and of logits (one text, padded right),
`left padding` of the same, `edit` of the next block's input and of logits when a vector is added, `cache` of states
and of a greedy continuation with a cache, `generation` without one, `lens` of the head on the last states, `ablation`
of what is left of a direction in the last states when it is removed from every write. `as run`: reading, packed
logits and packed generation on the road that the checks have chosen. `no`: this is gone round, or refused in one line
when it is asked for; up to 1e-4 is rounding. Random weights show that the arithmetic is the same, not that a trained
model is any good."""


@dataclass(frozen=True)
class Bite:
    """What bites at an architecture, where that is to be read, and what is done about it here."""

    what: str
    source: str
    done: str


TL = "transformer_lens/model_bridge/supported_architectures"


def hf(kind: str, what: str = "modeling") -> str:
    """Where transformers has a kind of model."""
    return f"transformers/models/{kind}/{what}_{kind}.py"


PARALLEL = Bite(
    "blocks run attention and MLP side by side; there is no resid_mid",
    "transformer_lens/model_bridge/generalized_components/block.py, ParallelBlockBridge",
    "a hook point that is not there is refused before any forward",
)
STATEFUL = Bite(
    "keeps a state of its own between steps and swallows a cache of keys and values",
    f"{hf('<type>')}, the arguments of forward",
    "measured: every step of a generation runs the whole text where that differs",
)
HYBRID = Bite(
    "some blocks have no attention, so attn_out is not to be had in every block",
    "transformer_lens/model_bridge/generalized_components/block.py",
    "the site is refused by name, and ablation with it",
)
HEADED = Bite(
    "a dense layer and a norm stand between the last block and the head",
    f"{hf('<type>')}, the prediction head",
    "the lens is refused by measure",
)
BITES = {
    "opt": Bite(
        "the head is fed by model.decoder, so a hook on the backbone never narrows what it reads",
        f"{hf('opt')}, OPTForCausalLM.forward",
        "tokens are chosen at the input of the head, and the width of what comes out is checked",
    ),
    "opt 350m form": Bite("norms behind the residual, project_out before the head", hf("opt"),
                          "lens and ablation are refused by measure"),
    "granite": Bite("attn_out and mlp_out are wired at the first whole forward; the stream takes a multiple of them",
                    f"{TL.rpartition('/')[0]}/generalized_components/block.py, ScaledResidualBlockBridge",
                    "one forward with everything in it at boot; a folded addition is divided by the multiple"),
    "openai-gpt": Bite("a block returns a list, and hook_resid_post fires for tensors and tuples",
                       f"{hf('openai')}, Block.forward", "refused: the hook point never fires"),
    "rwkv": Bite("forward wants `state`, swallows past_key_values, ignores the mask", hf("rwkv"),
                 "right padding, one text at a time, no cache"),
    "recurrent_gemma": Bite("padding on the left is read as text", hf("recurrent_gemma"),
                            "right padding, one text at a time"),
    "bloom": Bite("no max_position_embeddings: positions are ALiBi", hf("bloom", "configuration"),
                  "the limit is taken from where the folder has one, or none is set"),
    "mpt": Bite("no max_position_embeddings: positions are ALiBi", hf("mpt", "configuration"),
                "the limit is taken from where the folder has one, or none is set"),
    "llama4_text": Bite("what the experts put out has lost its shape of batch and position", f"{TL}/llama4.py",
                        "mlp_out is refused by its shape, and ablation with it"),
    "bloom post-norm": Bite("the residual is taken behind the norm", f"{hf('bloom')}, BloomBlock",
                            "ablation is refused by measure"),
    "falcon_h1": Bite("a Mamba mixer writes to the stream beside attention", hf("falcon_h1"),
                      "ablation is refused by measure"),
    "gemma4_text": Bite("a per-layer input and a scale stand behind the MLP", hf("gemma4"),
                        "ablation is refused by measure"),
    "hunyuan_v1_dense": Bite("norms stand behind the rotation, so positions must be given", hf("hunyuan_v1_dense"),
                             "positions are always given with left padding"),
    "bert, no decoder": Bite("with is_decoder=false attention sees what follows, and transformers only warns",
                 hf("bert"), "refused: a state must know nothing of what follows"),
    "falcon 40b form": Bite("grouped keys and values are split wrongly", f"{TL}/falcon.py", "refused with its error"),
    "gpt_bigcode MHA": Bite("the adapter knows one shared head only", f"{TL}/gpt_bigcode.py", "refused with its error"),
    "deepseek_v4": Bite("four streams are handed on side by side", hf("deepseek_v4"),
                        "refused: what blocks hand on is no residual stream"),
    "hrm_text": Bite("blocks lie in stacks of stacks, none of them as long as the model is said to be deep",
                     hf("hrm_text"), "refused: there are no blocks to compare with"),
    "granitemoehybrid": Bite("without rotary positions a component of TransformerLens has nothing in it",
                             f"{TL}/granite_moe_hybrid.py", "refused with its error"),
    "nemotron_h": Bite("the backbone asks every block for its kind, and a block is attention or mixer or MLP",
                       hf("nemotron_h"),
                       "the part inside a component answers; sites but resid_post are refused by name"),
    **dict.fromkeys(("jamba", "bamba", "qwen3_next", "qwen3_5_text", "zamba2"), HYBRID),
    **dict.fromkeys(("bert", "modernbert-decoder"), HEADED),
    **dict.fromkeys(("gpt_neox", "falcon", "gptj", "phi", "cohere", "cohere2", "codegen"), PARALLEL),
    **dict.fromkeys(("mamba", "mamba2", "falcon_mamba"), STATEFUL),
}  # fmt: skip


BITES |= {"granitemoe": BITES["granite"]}


def main() -> None:
    """Run all, print a line for each, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, with commas between them")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    names = [name for name in sorted([*TYPES.split(), *FORMS]) if not asked.only or name in asked.only.split(",")]
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row_of(name, Path(folder)))
        print(" | ".join(f"{value}" for value in list(rows[-1].values())[:10]), flush=True)
    write(rows, asked.out)


def row_of(name: str, folder: Path) -> dict[str, str]:
    """One line of the table."""
    bite = BITES.get(name)
    words = {"what bites": bite.what, "source": bite.source, "what is done": bite.done} if bite else {}
    with redirect_stderr(io.StringIO()):
        try:
            made(name, folder)
        except Exception as error:
            return cells(name, f"NOT MADE: {type(error).__name__}: {error}".replace("\n", " "), words)
        model = Model(name=name, source=Local(path=str(folder)), device="cpu")
        try:
            truth = truth_of(model, continued=None)
            checks = every_check(model, truth)
            trusted(model)
            as_run = run_again(model, truth)
        except LatentmechError as error:
            return cells(name, f"refused: {error}", words)
        except Exception as error:
            return cells(name, f"RAISED: {traceback.format_exc().splitlines()[-1]} {error}".replace("\n", " "), words)
    sizes = {column: size_of(checks, wanted) for column, wanted in GROUPS.items()}
    verdict = "; ".join(["right", *dict.fromkeys(without(check) for check in checks if not check.passed)])
    return cells(name, verdict if as_run <= 1e-4 else "SILENTLY WRONG", words | sizes | {"as run": f"{as_run:.0e}"})


def without(check: Check) -> str:
    """What is not to be had where a check fails."""
    known = {"left padding": "no left padding", "cache": "no cache", "ablation": "ablation refused"}
    known |= {"lens": "lens refused", "site": f"no {check.name.split()[-1]}"}
    return known.get(check.need, check.failure)


def cells(name: str, verdict: str, known: dict[str, str]) -> dict[str, str]:
    """A row with all of its columns."""
    columns = (*GROUPS, "as run", "what bites", "source", "what is done")
    return {"architecture": name, "verdict": verdict} | {column: known.get(column, "") for column in columns}


def size_of(checks: Sequence[Check], wanted: Sequence[str]) -> str:
    """The largest difference of some checks; `no` with what was seen where there is one that failed."""
    own = [check for check in checks if check.name in wanted]
    worst = max(own, key=lambda check: (not check.passed, check.size))
    return f"{worst.size:.0e}" if worst.passed else f"no ({worst.size:.0e})" if worst.size == worst.size else "no"


def made(name: str, folder: Path) -> None:
    """Write the checkpoint, under the tiny model's tokenizer."""
    cls = CONFIG_MAPPING[FORMS.get(name, name)]
    known = cls().to_dict()
    sizes = {key: value for key, value in SIZES.items() if key in known} | OWN.get(name, {})
    config = cls(**sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.2)
            elif parameter.ndim == 1:  # norms and biases: folding one that does nothing would go unnoticed
                parameter.data += 0.2 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(Tiny()().folder).save_pretrained(folder)


def run_again(model: Model, truth: Truth) -> float:
    """The largest difference of what studies call to plain transformers."""
    return max(_run_again(model, truth))


def _run_again(model: Model, truth: Truth) -> Iterator[float]:
    names, seen = [level.hook_name for level in levels_of(model.n_layers)], dict[str, torch.Tensor]()
    right, left = (pad(truth.ids, 0, side, model.torch_device) for side in ("right", "left"))
    with reading(model, {n: lambda t, n=n: seen.update({n: t.clone()}) for n in names}) as run:
        run(right)
    states = torch.stack([seen[name] for name in names])
    for i, expected in enumerate(truth.states):
        yield apart(states[:, i, right.mask[i].bool()], expected)
    post = f"blocks.{truth.layer}.hook_resid_post"
    add: Callable[[torch.Tensor], torch.Tensor] = lambda resid: resid + truth.vector  # noqa: E731
    clean, edited = packed_logits(model, [{}, {post: add}], left)[:, :, 0]
    for i, logits in enumerate(truth.logits):
        yield apart(clean[i], logits[-1])
        yield apart(edited[i], truth.edited[i])
    generated, _ = packed_generate(model, [{}, {post: add}], left, len(truth.steps[0]), stop=())
    for ids, steps in zip(generated.ids, truth.steps, strict=True):
        first = next((i for i, (a, b) in enumerate(zip(ids, steps.argmax(-1), strict=True)) if a != b), None)
        yield 0.0 if first is None else float((steps[first].max() - steps[first][ids[first]]) / steps[first].std())


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest relative difference of a vector."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def write(rows: Sequence[dict[str, str]], out: Path) -> None:
    """The table, and the versions that it was made with."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "models.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    libraries = ("torch", "transformers", "transformer-lens")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)
    columns = [column for column in rows[0] if column not in ("what bites", "source", "what is done")]
    table = [columns, ["---"] * len(columns), *[[row[column] for column in columns] for row in rows]]
    bites = [("architecture", "what bites", "source", "what is done"), ["---"] * 4]
    bites += [[row[c] for c in bites[0]] for row in rows if row["what bites"]]
    right, refused = (sum(row["verdict"].startswith(word) for row in rows) for word in ("right", "refused"))
    said = f"{versions}: {right} of {len(rows)} are right in all that is not refused, and {refused} are refused whole."
    parts = (ABOUT, said, _lines(table), "## What bites, and what is done about it", _lines(bites))
    (out / "README.md").write_text("\n\n".join(parts) + "\n")


def _lines(table: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table)


if __name__ == "__main__":
    main()
