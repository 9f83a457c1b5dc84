"""The logit lens: what the output head makes of any state, by TransformerLens's own tool.

The logit lens (nostalgebraist 2020, "interpreting GPT") gives a state of some level to the final norm and the
unembedding, as if the blocks above were not there. At the last level this is the model itself. Early levels do not live
in the coordinates that the head expects, so a wrong answer there does not show that the right token is not known.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.model.handle import Model


def read_out(model: Model, states: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
    """Log-probabilities of the next token, in single precision; final norm, soft caps and scales are the model's."""
    from transformer_lens.tools.analysis import logit_readout

    with torch.inference_mode():
        return logit_readout(model.bridge, states, return_type="log_probs").values.float()


def says(model: Model, states: Float[Tensor, "row d_model"], token: Int[Tensor, " row"]) -> Bool[Tensor, " row"]:
    """Whether each state, read through the head, puts its token first. Loads the weights."""
    from transformer_lens.tools.analysis import logit_readout

    ranks = logit_readout(model.bridge, states, targets=token).target_ranks
    assert ranks is not None
    return (ranks[:, 0] == 0).cpu()
