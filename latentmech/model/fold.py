"""An edit of the residual stream as weights: what comes out is an ordinary model that needs no hooks.

    ablation   W' = W - d (d . W), b' = b - d (d . b)   for everything that writes to the stream
    addition   b' = b + v                               for what one block's MLP writes

The first is the weight orthogonalisation of Arditi et al. (2024, section 4.1): the same function as removing the
direction from every write while the model runs, up to rounding. It holds only where what attention and MLP put out is
what reaches the stream. The part along `d` is gone from the writes, not from what the unembedding can say: the
unembedding reads, and stays.

Folding is done in double precision and kept in single precision: in bfloat16 rounding would bring `d` back.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn

from latentmech.errors import BadInput
from latentmech.model.checkpoint import CARD, copy_tokenizer, filling, weight_checksums, writing
from latentmech.model.handle import Model
from latentmech.model.parity import refuse_without
from latentmech.model.points import one_forward
from latentmech.model.weights import load_weights
from latentmech.storage import save_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = "latentmech.folded/1"
MODEL_PARTS = {"embed", "pos_embed", "rotary_emb", "blocks", "ln_final", "unembed"}
BLOCK_PARTS = {"ln1", "ln2", "attn", "mlp"}
BIAS_SWITCH = "mlp_bias"  # transformers' name for it, where a configuration has one
HOOKS_STAY = "use the hooks, with steering.export=none"


@dataclass(frozen=True)
class Writers:
    """Paths, in transformers' model, of the modules that write to the residual stream.

    Attributes:
        embeddings: of tokens and, where they are learned, of positions.
        attention: output projection of each block's attention.
        mlp: output projection of each block's MLP.
    """

    embeddings: tuple[str, ...]
    attention: tuple[str, ...]
    mlp: tuple[str, ...]


def writers(model: Model) -> Writers:
    """Where the model writes, as TransformerLens's adapter names it.

    Raises:
        BadInput: something stands between these modules and the stream, or not all that writes is known; before
            weights are loaded where that can be known.
    """
    if model.compatibility_mode or model.random_init:
        setting = "compatibility_mode" if model.compatibility_mode else "random_init"
        raise BadInput(
            f"model.{setting}=true: these weights are in no folder to start from; export with it set to false"
        )
    if model.as_kept:
        setting, value = next(iter(model.as_kept.items()))
        raise BadInput(f"model.{setting}={value}: weights are folded in single precision, in one place; leave it out")
    mapping: Any = model.bridge.adapter.component_mapping
    _check_parts(model, mapping)
    refuse_without(model, "ablation", "the weights known here are not all that writes to the stream of")
    return Writers(
        tuple(mapping[part].name for part in ("embed", "pos_embed") if part in mapping),
        tuple(_in_block(mapping, layer, "attn", "o") for layer in range(model.n_layers)),
        tuple(_in_block(mapping, layer, "mlp", "out") for layer in range(model.n_layers)),
    )


def _check_parts(model: Model, mapping: Any) -> None:
    """Refuse norms behind attention and MLP (Gemma 2 and 3, OLMo 2), experts, gates, and whatever else is unknown."""
    block = mapping["blocks"].submodules
    if more := sorted((set(mapping) - MODEL_PARTS) | (set(block) - BLOCK_PARTS)):
        raise BadInput(
            f"{model.name} cannot be written as weights: with {', '.join(more)} in it, what attention and MLP put out "
            f"is not what reaches the residual stream; {HOOKS_STAY}"
        )
    for part, output in (("attn", "o"), ("mlp", "out")):
        if part not in block or output not in block[part].submodules:
            raise BadInput(f"{model.name} cannot be written as weights: it has no single {part}.{output}; {HOOKS_STAY}")


def _in_block(mapping: Any, layer: int, part: str, output: str) -> str:
    """A part may be TransformerLens's own grouping of modules that lie in the block itself; then it has no name."""
    outer = mapping["blocks"].submodules[part]
    names = (mapping["blocks"].name, str(layer), outer.name, outer.submodules[output].name)
    return ".".join(name for name in names if name)


def fold_ablation(model: Model, vector: Float[Tensor, " d_model"]) -> "PreTrainedModel":
    """The model from its folder, without the part along the vector in all that it writes; BadInput as `writers`."""
    paths = writers(model)
    hf_model, d = _fresh(model), vector.double().cpu()
    _untie(hf_model)
    for path in (*paths.embeddings, *paths.attention, *paths.mlp):
        _remove(hf_model.get_submodule(path), d / d.norm(), path)
    return hf_model


def fold_addition(model: Model, vector: Float[Tensor, " d_model"], layer: int) -> "PreTrainedModel":
    """The model from its folder, with the vector added to what block `layer` hands on; BadInput as `bias_place`."""
    path = bias_place(model, layer)
    switch = {BIAS_SWITCH: True} if hasattr(model.config, BIAS_SWITCH) else {}
    hf_model = _fresh(model, **switch)
    module: Any = hf_model.get_submodule(path)
    if module.bias is None:  # a setting that this architecture does not look at
        raise _without_bias(model)
    written = vector.double().cpu() / _share_written(model, layer)
    module.bias.data = (module.bias.detach().double() + written).float()
    return hf_model


def _share_written(model: Model, layer: int) -> float:
    """What the MLP's output is multiplied by before it is added to the stream: 1 but for Granite and its kind.

    Raises:
        BadInput: what is added is no multiple of it.
    """
    names = f"blocks.{layer}.mlp.hook_out", f"blocks.{layer}.hook_mlp_out"
    put_out, added = (tensors[0].cpu().double() for tensors in one_forward(model, names).values())
    share = float((put_out * added).sum() / (put_out * put_out).sum())
    if (added - share * put_out).norm() > 1e-4 * added.norm():
        raise BadInput(f"what the MLP of {model.name} puts out is not what it adds to the stream; {HOOKS_STAY}")
    return share


def bias_place(model: Model, layer: int) -> str:
    """The path of the module whose bias is added to what block `layer` hands on.

    Raises:
        BadInput: it has no bias, and there is no setting that gives it one.
    """
    path = writers(model).mlp[layer]
    module: Any = model.bridge.original_model.get_submodule(path)
    if getattr(module, "bias", None) is None and not hasattr(model.config, BIAS_SWITCH):
        raise _without_bias(model)
    return path


def _without_bias(model: Model) -> BadInput:
    return BadInput(
        f"{model.name} has no bias that could hold an addition, and {model.config.model_type} has no setting "
        f"{BIAS_SWITCH} that gives it one; {HOOKS_STAY}"
    )


def _fresh(model: Model, **changed: Any) -> "PreTrainedModel":
    """transformers' own model, which TransformerLens has not touched, in single precision on the CPU.

    Args:
        changed: settings of the configuration. Biases that they bring about begin as zero.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model.checkpoint.folder, local_files_only=True)
    for name, value in changed.items():
        setattr(config, name, value)
    return load_weights("AutoModelForCausalLM", model.checkpoint, zeroed=r"\.bias$" if changed else "", config=config)


def _untie(hf_model: "PreTrainedModel") -> None:
    """Give the unembedding weights of its own: it does not write to the stream, and must read as it did."""
    embedding: Any = hf_model.get_input_embeddings()
    head: Any = hf_model.get_output_embeddings()
    if head.weight is embedding.weight:
        head.weight = nn.Parameter(embedding.weight.detach().clone())
        hf_model.config.tie_word_embeddings = False


def _remove(module: Any, d: Float[Tensor, " d_model"], path: str) -> None:
    """Take the part along `d` out of weight and bias. New tensors: the old ones may be the file itself, mapped."""
    from transformers.pytorch_utils import Conv1D

    if not isinstance(module, nn.Linear | nn.Embedding | Conv1D):
        raise BadInput(f"{path} is a {type(module).__name__}, whose weights are not known here; {HOOKS_STAY}")
    writes_by_row = isinstance(module, nn.Linear)  # [d_model, input]; the others are [input, d_model]
    weight = module.weight.T if writes_by_row else module.weight
    left = _without(weight.detach(), d)
    module.weight.data = left.T.contiguous() if writes_by_row else left
    bias: Any = getattr(module, "bias", None)
    if bias is not None:
        bias.data = _without(bias.detach(), d)


def _without(rows: Float[Tensor, "*rows d_model"], d: Float[Tensor, " d_model"]) -> Float[Tensor, "*rows d_model"]:
    return (rows.double() - (rows.double() @ d).unsqueeze(-1) * d).to(rows)


def save_folded(
    hf_model: "PreTrainedModel",
    model: Model,
    folder: Path,
    card: Mapping[str, Any],
    measure: Callable[[Path], Mapping[str, Any]],
) -> dict[str, Any]:
    """Write a folder that transformers, and `Local`, can load; it gets its name when it is whole and measured.

    Args:
        model: whose tokenizer goes with it.
        folder: a new one, or one that this has written before, which is replaced.
        card: what was folded, for `latentmech.json`.
        measure: is given the written folder; what it finds goes into the card, what it raises leaves no folder behind.

    Returns:
        The card as it was written.

    Raises:
        BadInput: there is something else in that place.
        ResourceError: it cannot be written.
    """
    _check_place(folder, model)
    with filling(folder) as temporary:
        with writing(temporary):
            hf_model.save_pretrained(temporary)
            copy_tokenizer(model.checkpoint.folder, temporary)
        whole = {**card, "format": FORMAT, "files": weight_checksums(temporary)}
        save_json(temporary / CARD, whole)
        whole["measured"] = dict(measure(temporary))
        save_json(temporary / CARD, whole)
        temporary.chmod(folder.parent.stat().st_mode)  # a temporary folder is its owner's alone
        if folder.exists():
            shutil.rmtree(folder)
    return whole


def _check_place(folder: Path, model: Model) -> None:
    """Only what was written here before is replaced, and never the model that is being read."""
    card = folder / CARD
    ours = card.is_file() and json.loads(card.read_text()).get("format") == FORMAT
    if folder.exists() and (not ours or folder.samefile(model.checkpoint.folder)):
        raise BadInput(f"{folder} is there already and is no earlier export of this model; name another folder")
