"""The two tables of a model: what each token is when it is read, and what the last state is compared with."""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.model.handle import Model


def embedding(model: Model) -> Float[Tensor, "token d_model"]:
    """The row of every token in `W_E`, as float32."""
    return model.bridge.W_E.detach().float().cpu()


def unembedding(model: Model) -> Float[Tensor, "token d_model"]:
    """The column of every token in `W_U`, times the scale of the final norm, as float32.

    So it lies in the coordinates of the residual stream: up to the length that the norm divides by (and the means
    that a LayerNorm takes off), the logit of a token is its product with the last state. With tied weights it differs
    from the embedding by that scale only.
    """
    return model.bridge.W_U.detach().T.float().cpu() * _final_scale(model)


def _final_scale(model: Model) -> Float[Tensor, " d_model"]:
    """The final norm's factor for each dimension, asked of the norm itself: families keep it in different ways.

    A vector of +1 and -1 in turns has mean 0 and length sqrt(d), so any norm gives back scale * x + bias.
    """
    sign = torch.tensor([1.0, -1.0], device=model.torch_device).repeat((model.d_model + 1) // 2)[: model.d_model]
    sign = sign.to(getattr(torch, model.dtype))
    with torch.inference_mode():
        there, back = (model.bridge.ln_final(x[None, None])[0, 0].float() for x in (sign, -sign))
    return ((there - back) / 2 * sign.float()).cpu()
