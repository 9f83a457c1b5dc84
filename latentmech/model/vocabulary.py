"""What states have to do with tokens: a model's two tables, and the logit lens.

The logit lens (nostalgebraist 2020, "interpreting GPT") gives a state of some level to the final norm and the
unembedding, as if the blocks above were not there. At the last level this is the model itself. Early levels do not live
in the coordinates that the head expects, so a wrong answer there does not show that the right token is not known.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.errors import BadInput, first_line
from latentmech.model.handle import Model
from latentmech.model.vllm import VllmEngine


def read_out(model: Model, states: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
    """Log-probabilities of the next token, in single precision; final norm, soft caps and scales are the model's.

    Raises:
        BadInput: between the last states and the head there is more than a final norm.
    """
    from transformer_lens.tools.analysis import logit_readout

    if model.hosted:
        return VllmEngine(model).head(states).log_softmax(-1)
    with torch.inference_mode(), _readable(model):
        return logit_readout(model.bridge, states, return_type="log_probs").values.float()


def says(model: Model, states: Float[Tensor, "row d_model"], token: Int[Tensor, " row"]) -> Bool[Tensor, " row"]:
    """Whether each state, read through the head, puts its token first; BadInput as `read_out`. Loads the weights."""
    from transformer_lens.tools.analysis import logit_readout

    if model.hosted:
        return read_out(model, states).argmax(-1).cpu() == token.cpu()
    with _readable(model):
        ranks = logit_readout(model.bridge, states, targets=token).target_ranks
    assert ranks is not None
    return (ranks[:, 0] == 0).cpu()


@contextmanager
def _readable(model: Model) -> Iterator[None]:
    """What TransformerLens says of a head that it cannot apply to states, in one line."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        raise BadInput(f"states cannot be read through the head of {model.name}: {first_line(error)}") from error


def embedding(model: Model) -> Float[Tensor, "token d_model"]:
    """The row of every token in `W_E`, as float32."""
    return _table(model, "input") if model.hosted else _in_memory(model, model.bridge.W_E).float().cpu()


def unembedding(model: Model) -> Float[Tensor, "token d_model"]:
    """The column of every token in `W_U`, times the scale of the final norm, as float32.

    So it lies in the coordinates of the residual stream: up to the length that the norm divides by (and the means
    that a LayerNorm takes off), the logit of a token is its product with the last state. With tied weights it differs
    from the embedding by that scale only.
    """
    table = _table(model, "output") if model.hosted else _in_memory(model, model.bridge.W_U).T.float().cpu()
    return table * _final_scale(model)


def _in_memory(model: Model, table: Tensor) -> Tensor:
    if table.is_meta:
        raise BadInput(f"a table of {model.name} lies on the disk; give model.device_map a place in memory for it")
    return table.detach()


def _final_scale(model: Model) -> Float[Tensor, " d_model"]:
    """The final norm's factor for each dimension, asked of the norm itself: families keep it in different ways.

    A vector of +1 and -1 in turns has mean 0 and length sqrt(d), so any norm gives back scale * x + bias.
    """
    sign = torch.tensor([1.0, -1.0], device=model.torch_device).repeat((model.d_model + 1) // 2)[: model.d_model]
    sign = sign.to(getattr(torch, model.dtype))
    there, back = _normed(model, torch.stack([sign, -sign]))
    return ((there - back) / 2 * sign.float()).cpu()


def _normed(model: Model, states: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
    """States behind the final norm."""
    if model.hosted:
        return VllmEngine(model).head(states, only_norm=True)
    with torch.inference_mode():
        return model.bridge.ln_final(states[None])[0].float()


def _table(model: Model, which: str) -> Float[Tensor, "token d_model"]:
    """The `input` or `output` embedding as the folder has it: the rows of a model that is spread over workers.

    Raises:
        BadInput: the folder has it under a name that transformers does not give it.
    """
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = model.checkpoint.folder
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        hf = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    wanted = getattr(hf, f"get_{which}_embeddings")().weight
    names = {name for name, weight in hf.named_parameters(remove_duplicate=False) if weight is wanted}
    for path in model.checkpoint.weight_files:
        with safe_open(path, framework="pt") as file:
            for name in names & set(file.keys()):
                return file.get_tensor(name).float()
    raise BadInput(f"{folder} has no tensor {' or '.join(sorted(names))}; set model.engine=transformers")
