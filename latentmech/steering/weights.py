"""An edited model as an ordinary folder, measured against the same edit made by hooks.

    ablation   the direction is gone from everything that the model writes: the plain ablation of `ablations.py`
    addition   a multiple of the direction is added at every token: a bias of one block

Neither knows a scope: weights treat every token alike, the first one and those of the prompt included. The difference
in logits to the model with hooks stands in the folder's card, beside how much the edit itself changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.data import Corpus
from latentmech.direction import Direction, source_of
from latentmech.errors import BadInput
from latentmech.model import (
    Addition,
    Batch,
    Local,
    Model,
    bias_place,
    fold_ablation,
    fold_addition,
    intervening,
    save_folded,
)
from latentmech.steering.generation import batches
from latentmech.steering.interventions import Plan, ablation
from latentmech.storage import plain

SENTENCES, LONGEST = 8, 160  # how many neutral ones, and characters
ALLOWED = 1e-3  # of the largest logit; in SmolLM2, along its first token's own direction, rounding gives 3e-5


def exports(
    model: Model, removed: Direction, added: Direction, lengths: Sequence[float]
) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Folders below a run's own, and what fills each: the ablated model, and the added one if one length is not 0.

    The direction is removed everywhere as it was found, and added where it is used, by lengths along its unit vector.

    Raises:
        BadInput: the addition cannot be written so, which is said here and not when the work is done.
    """
    found: dict[str, Callable[[Path], dict[str, Any]]] = {"weights/ablated": partial(exported, removed, model, None)}
    if len(some := [length for length in lengths if length]) == 1:
        bias_place(model, _layer(added))
        found["weights/added"] = partial(exported, added, model, some[0])
    return found


def exported(direction: Direction, model: Model, length: float | None, folder: Path) -> dict[str, Any]:
    """Write the model to `folder`, with such a length added at the direction's own hook point, or ablated (None).

    Returns:
        The folder's card: what was folded and `measured`, the largest difference in logits to the model with hooks.
    """
    if length is None:
        hf_model, plan = fold_ablation(model, direction.vector), ablation(direction, model.n_layers, "plain")
    else:
        plan = Plan({direction.hook_name: Addition(length * direction.vector)})
        hf_model = fold_addition(model, length * direction.vector, _layer(direction))
    known = {key: direction.card[key] for key in ("data", "method", "model", "scores") if key in direction.card}
    folded = {"kind": "ablation" if length is None else "addition", "length": length, "hook_name": direction.hook_name}
    card = {"folded": folded, "source": source_of(model), "direction": {"name": direction.name, **known}}
    return save_folded(hf_model, model, folder, plain(card), partial(_compared, model, plan))


def _layer(direction: Direction) -> int:
    """The block behind which the direction is added."""
    if direction.layer is None or direction.hook_name != f"blocks.{direction.layer}.hook_resid_post":
        seen = f"an addition at {direction.hook_name} cannot be written as weights; expected blocks.L.hook_resid_post"
        raise BadInput(f"{seen}: set steering.layer, or steering.export=none")
    return direction.layer


def _compared(model: Model, plan: Plan, folder: Path) -> Mapping[str, Any]:
    """Largest differences in logits, in single precision, over a few sentences; refused where rounding gives less."""
    hooked = model if model.dtype == "float32" else replace(model, dtype="float32")
    folded = replace(hooked, source=Local(path=str(folder)))
    found = []
    texts = [text for text in Corpus(limit=1000)().texts if 40 <= len(text) <= LONGEST][:SENTENCES]
    for _, batch in batches(model, texts, 1):
        clean, wanted, seen = (_logits(*side, batch) for side in ((hooked, Plan()), (hooked, plan), (folded, Plan())))
        apart = (seen - wanted).abs().amax(-1)
        found.append([apart.max(), (apart / wanted.abs().amax(-1)).max(), (wanted - clean).abs().max()])
    absolute, relative, change = torch.tensor(found).amax(0).tolist()
    if not relative <= ALLOWED:
        apart_by = f"differs from itself with hooks by {relative:.1e} of the largest logit"
        raise BadInput(
            f"{model.name} with the edit in its weights {apart_by}, where rounding gives less than {ALLOWED:g}: its "
            "blocks do more than is known here; use the hooks, with steering.export=none"
        )
    differences = {"largest_logit_difference": absolute, "relative_to_largest_logit": relative}
    return {**differences, "largest_logit_change_by_the_edit": change, "sentences": SENTENCES, "dtype": "float32"}


def _logits(model: Model, plan: Plan, batch: Batch) -> Float[Tensor, "pos vocab"]:
    with intervening(model, plan.edits, plan.scope) as run:
        return run.logits(batch, batch.ids.shape[1])[0].to("cpu", torch.float32)
