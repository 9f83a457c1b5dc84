"""What the metadata of a GGUF file say, and transformers does not read: given to the config, or refused by name.

transformers' conversion takes what it knows from a list and leaves the rest out without a word. A file that scales
its rotary positions (Llama 3.1 does in `rope_freqs.weight`), caps its logits or splits its text in its own way then
becomes another model. So every key of the architecture is accounted for here: it is checked against the config, or it
is known to say nothing that the tensors' shapes do not say, or the file is refused.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentmech.errors import BadInput, first_line, shown

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

READ_WHOLE = ("qwen35", "qwen35moe", "lfm2", "gemma4", "gpt-oss")  # transformers reads these with code of their own
SHAPES = ("length", "block_count", "expert_count", "vocab_size", "data_layout")  # ends of what shapes say as well
GIVEN = {
    "context_length": ("max_position_embeddings",),
    "attention.head_count": ("num_attention_heads",),
    "attention.key_length": ("head_dim",),
    "attention.layer_norm_epsilon": ("layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps"),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "norm_eps", "layer_norm_epsilon"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "logit_scale": ("logit_scale",),
    "use_parallel_residual": ("use_parallel_residual",),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_weights_norm": ("norm_topk_prob",),
}
NEUTRAL = {"attention.causal": True, "attention.clamp_kqv": 0, "expert_weights_scale": 1, "attention.max_alibi_bias": 8}
ELSEWHERE = ("attention.head_count_kv", "expert_gating_func", "ssm.", "rope.")  # beginnings: in shapes too, or below
SCALED = ("factor", "original_context_length", "yarn_beta_fast", "yarn_beta_slow", "finetuned", "type")
LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
ROPE_TENSORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
PLAIN_SPLITS = ("default", "gpt-2", "phi-2", "mpt", "olmo", "jais", "roberta-bpe")
DIGIT_SPLITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")


@dataclass(frozen=True)
class GGUFMetadata:
    """The keys and the tensor table of one `.gguf` file."""

    path: Path

    @cached_property
    def reader(self) -> Any:
        """The gguf package's reader; tensors stay on the disk.

        Raises:
            BadInput: it is no GGUF file, or cut short.
        """
        from gguf import GGUFReader

        try:
            return GGUFReader(self.path)
        except Exception as error:  # whatever the bytes lead it to
            raise BadInput(
                f"{self.path} cannot be read as a GGUF model ({first_line(error)}); try another file"
            ) from error

    def get(self, key: str, default: Any = None) -> Any:
        """A value by its whole name."""
        field = self.reader.get_field(key)
        return default if field is None else field.contents()

    @property
    def architecture(self) -> str:
        """As llama.cpp calls it; keys begin with it."""
        return str(self.get("general.architecture", ""))

    @cached_property
    def own(self) -> dict[str, Any]:
        """The keys of the architecture, without its name."""
        begin = f"{self.architecture}."
        return {key.removeprefix(begin): self.get(key) for key in self.reader.fields if key.startswith(begin)}

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """By name."""
        return {tensor.name: tensor for tensor in self.reader.tensors}

    def refused(self, key: str, value: object) -> BadInput:
        """The error for a key that cannot be honoured."""
        return BadInput(
            f"{self.path.name} has {key}={shown(value)}, which would be lost when it is converted; use this model's "
            "folder in transformers' format"
        )


def complete(config: "PretrainedConfig", file: GGUFMetadata) -> None:
    """Write into the config what the file says and transformers has not read.

    Raises:
        BadInput: the config has no place for it; the message names the key.
    """
    if "output.weight" in file.tensors:  # transformers takes Falcon and Bloom for tied, whatever the file holds
        config.tie_word_embeddings = False
    if file.architecture not in READ_WHOLE:
        for key, value in file.own.items():
            if key in GIVEN:
                _give(config, key, value, file)
            elif not (key.endswith(SHAPES) or key.startswith(ELSEWHERE) or NEUTRAL.get(key, value is None) == value):
                raise file.refused(f"{file.architecture}.{key}", value)
        _rotate(config, file)
    _scale(config, file)


def _give(config: "PretrainedConfig", key: str, value: Any, file: GGUFMetadata) -> None:
    name = next((name for name in GIVEN[key] if hasattr(config, name)), None)
    if name is not None:
        if not _same(getattr(config, name), value):
            setattr(config, name, value)
    elif key == "attention.key_length":
        if value * config.num_attention_heads != config.hidden_size:
            raise file.refused(f"{file.architecture}.{key}", value)
    elif key != "context_length" and value:  # without positions there is no limit to tell
        raise file.refused(f"{file.architecture}.{key}", value)


def _same(mine: Any, other: Any) -> bool:
    if isinstance(mine, int | float) and isinstance(other, int | float):
        return math.isclose(mine, other, rel_tol=1e-6)
    return mine == other


def _rope_of(config: "PretrainedConfig", kind: str = "full_attention") -> dict[str, Any] | None:
    """The settings of rotary positions, of all layers or of one kind; None if there are none."""
    parameters = getattr(config, "rope_parameters", None)
    return parameters.get(kind, parameters) if parameters else None


def _rotate(config: "PretrainedConfig", file: GGUFMetadata) -> None:
    """How fast positions turn, and how many dimensions of a head take part."""
    known = {"rope.freq_base", "rope.freq_base_swa", "rope.dimension_count", "rope.scale_linear"}
    for key in (key for key in file.own if key.startswith("rope.") and not key.startswith("rope.scaling.")):
        rope, value = _rope_of(config, "sliding_attention" if key.endswith("_swa") else "full_attention"), file.own[key]
        if rope is None or key not in known:
            if value:
                raise file.refused(f"{file.architecture}.{key}", value)
        elif key.startswith("rope.freq_base"):
            rope["rope_theta"] = float(value)
        elif key == "rope.dimension_count":
            head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
            if int(head * rope.get("partial_rotary_factor", 1.0)) != value:
                if "partial_rotary_factor" not in rope:
                    raise file.refused(f"{file.architecture}.{key}", value)
                rope["partial_rotary_factor"] = value / head


def _scale(config: "PretrainedConfig", file: GGUFMetadata) -> None:
    """Rotary positions that are stretched to a longer context than the model was first trained on."""
    scaling = {key.removeprefix("rope.scaling."): v for key, v in file.own.items() if key.startswith("rope.scaling.")}
    kind = scaling.get("type") or ("linear" if file.own.get("rope.scale_linear", 1) != 1 else "none")
    factor = float(scaling.get("factor") or file.own.get("rope.scale_linear", 1))
    rope, begin = _rope_of(config), f"{file.architecture}.rope.scaling."
    for name in ROPE_TENSORS[1:]:
        if name in file.tensors:
            raise file.refused(name, f"{kind} rope scaling")
    if ROPE_TENSORS[0] in file.tensors:
        if rope is None or kind != "none":
            raise file.refused(ROPE_TENSORS[0], f"{kind} rope scaling")
        rope |= _llama3(rope, file)
    elif file.architecture == "gpt-oss":
        return
    elif kind in ("linear", "yarn") and rope is not None:
        for key, value in scaling.items():
            if key not in SCALED and value not in (0, 1):
                raise file.refused(begin + key, value)
        rope |= {"rope_type": kind, "factor": factor}
        if kind == "yarn":
            rope |= {"original_max_position_embeddings": scaling.get("original_context_length")} | {
                key.removeprefix("yarn_"): value for key, value in scaling.items() if key.startswith("yarn_beta_")
            }
            if not rope["original_max_position_embeddings"]:
                raise file.refused(f"{begin}type", "yarn without original_context_length")
    elif kind != "none":
        raise file.refused(f"{begin}type", kind)


def _llama3(rope: dict[str, Any], file: GGUFMetadata) -> dict[str, Any]:
    """The settings of Llama 3.1's scaling that give the factors in the file, one for each pair of dimensions.

        factor_i = 1 for short waves, F for long ones, and 1 / ((1 - s) / F + s) with s falling from 1 to 0 between

    Raises:
        BadInput: no settings of that kind do.
    """
    seen = np.asarray(file.tensors[ROPE_TENSORS[0]].data, dtype=np.float64).reshape(-1)
    waves = 2 * np.pi * rope["rope_theta"] ** (np.arange(len(seen)) / len(seen))
    low, high, old = LLAMA3.values()
    smooth = np.clip((old / waves - low) / (high - low), 0, 1)
    factor = float(seen.max())
    if not np.allclose(seen, 1 / ((1 - smooth) / factor + smooth), rtol=1e-3):
        raise file.refused(ROPE_TENSORS[0], "factors that are not Llama 3's")
    return LLAMA3 | {"rope_type": "llama3", "factor": factor}


def respell(tokenizer: "PreTrainedTokenizerBase", file: GGUFMetadata) -> None:
    """Split texts as the file's vocabulary was made for, before merges; BadInput where that is not known."""
    from tokenizers import pre_tokenizers

    backend: Any = tokenizer.backend_tokenizer
    split, prefix = file.get("tokenizer.ggml.pre", "default"), file.get("tokenizer.ggml.add_space_prefix")
    if file.get("tokenizer.ggml.model") == "gpt2":
        if split in DIGIT_SPLITS:
            level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
            backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
        elif split not in PLAIN_SPLITS and "Split" not in repr(backend.pre_tokenizer):
            raise file.refused("tokenizer.ggml.pre", split)
    first = tokenizer.tokenize("a")[:1]
    if prefix is not None and first and first[0].startswith("▁") != prefix:
        raise file.refused("tokenizer.ggml.add_space_prefix", prefix)
