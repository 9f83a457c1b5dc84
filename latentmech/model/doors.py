"""`reading` and `intervening`: a model's activations read and edited, once it was seen that this is what happens.

Before either opens, the model has been compared with plain transformers (`parity/`), and every hook point asked for has
been seen on a batch of two short texts: it fires exactly once in a forward, with the shape of the residual stream. What
does not is refused; TransformerLens hands out hook points that some blocks never reach, and a hook on such a point
reads nothing and edits nothing, without a word.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from latentmech.errors import BadInput
from latentmech.model.batching import Batch
from latentmech.model.generation import Runner
from latentmech.model.handle import Model
from latentmech.model.intervention import Reader, hooked_editing, hooked_reading, places_of
from latentmech.model.parity import trusted
from latentmech.model.points import heard
from latentmech.model.scope import Edit, Scope


@contextmanager
def reading(model: Model, readers: Mapping[str, Reader]) -> Iterator[Callable[[Batch], None]]:
    """While it is open, every batch run hands each hook point's activations `[batch, pos, d_model]` to its reader.

    A reader is given the live tensor: it must copy what it keeps, and must not write.

    Yields:
        The function that runs the blocks over a batch.

    Raises:
        BadInput: a hook point that the model does not have or never reaches; a model that does not compute what plain
            transformers computes.
    """
    road = trusted(model)
    heard(model, readers, "read")
    with hooked_reading(model, readers) as run:
        yield lambda batch: run(batch if road.left_padding else _unshifted(model, batch))


@contextmanager
def intervening(model: Model, edits: Mapping[str, Edit], scope: Scope = Scope()) -> Iterator[Runner]:  # noqa: B008
    """While it is open, every forward of the runner has its residual stream edited; without edits it is the model.

    The runner knows where each text begins, where its prompt ends and what is padding, so an edit that is right on
    whole tensors is right with and without a KV cache, alone and in a batch.

    Args:
        edits: by hook name, such as `blocks.12.hook_resid_post`. Several edits of one place are composed by the caller.
        scope: which tokens are edited.

    Yields:
        The runner: `logits` and `generate`.

    Raises:
        BadInput: a place that cannot be edited, that the model does not have or never reaches, or one place under two
            names; a model that does not compute what plain transformers computes.
    """
    places_of(edits, model.n_layers)
    road = trusted(model)
    heard(model, edits, "edited")
    with hooked_editing(model, edits, scope, road) as runner:
        yield runner


def _unshifted(model: Model, batch: Batch) -> Batch:
    if bool(batch.shift.any()):
        raise BadInput(f"{model.name} reads padding on the left as text; set activations.padding_side=right")
    return batch
