"""`Engine`: where forwards happen. Studies ask it for rows of states, for logits and for text, and know no more of it.

transformers   TransformerLens's hook points in transformers' own forward: the reference, and whatever a hook can do
vllm           many requests as one queue, each with its own plan: fast, and as wide as vLLM is; states before and after
               blocks only, edits that are values and no code
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.model.batching import Batch
from latentmech.model.collection import read_rows
from latentmech.model.generation import Generated
from latentmech.model.handle import Model
from latentmech.model.packing import Variant, packed_generate, packed_logits
from latentmech.model.parity import trusted
from latentmech.model.rows import Progress, Request
from latentmech.model.scope import Scope
from latentmech.model.vllm import VllmEngine

EVERYWHERE = Scope()


@runtime_checkable
class Engine(Protocol):
    """What a forward is asked for."""

    def refuse_points(self, hook_names: Collection[str]) -> None:
        """BadInput, before weights load, if hook points among these cannot be read here."""
        ...

    def read(
        self, request: Request, texts: Sequence[int], buffers: Sequence[Float[Tensor, "row d_model"]],
        token_budget: int = 1024, progress: Progress = int,
    ) -> None:  # fmt: skip
        """Fill one buffer for each hook point with all requested rows in `texts`, as `request.rows_in(texts)` has them.

        Args:
            texts: which texts to run; best of similar length, longest first.
            token_budget: tokens per batch, padding included, for an engine that pads.
            progress: called with the number of tokens done since the last call.

        Raises:
            ResourceError: a single text does not fit into memory.
        """
        ...

    def logits(
        self, variants: Sequence[Variant], batch: Batch, keep: int | Int[Tensor, "batch kept"] = 1, *,
        n_prompt: Int[Tensor, " batch"] | None = None, scope: Scope = EVERYWHERE,
    ) -> Float[Tensor, "variant batch kept vocab"]:  # fmt: skip
        """Logits of the same texts under every variant, at the last `keep` tokens or at positions in each text.

        Args:
            variants: the edits of each, by hook name; one without edits is the model as it is.
            n_prompt: length of each text's prompt, for the scope; by default all of it is prompt.
        """
        ...

    def generate(
        self, variants: Sequence[Variant], batch: Batch, n_tokens: int, *, stop: Sequence[int] | None = None,
        scope: Scope = EVERYWHERE,
    ) -> tuple[Generated, ...]:  # fmt: skip
        """The most likely next token, `n_tokens` times over, after the same prompts under every variant.

        Args:
            stop: tokens that end a text; by default the model's own. With none, every text runs to `n_tokens`.
        """
        ...


@dataclass(frozen=True)
class TransformersEngine:
    """The reference."""

    model: Model

    def refuse_points(self, hook_names: Collection[str]) -> None:
        """Nothing is known to be out of reach before the model is there; `reading` looks at each hook point then."""

    def read(
        self, request: Request, texts: Sequence[int], buffers: Sequence[Float[Tensor, "row d_model"]],
        token_budget: int = 1024, progress: Progress = int,
    ) -> None:  # fmt: skip
        """By hooks that copy straight into the buffers."""
        read_rows(buffers, request, texts, token_budget, progress)

    def logits(
        self, variants: Sequence[Variant], batch: Batch, keep: int | Int[Tensor, "batch kept"] = 1, *,
        n_prompt: Int[Tensor, " batch"] | None = None, scope: Scope = EVERYWHERE,
    ) -> Float[Tensor, "variant batch kept vocab"]:  # fmt: skip
        """As rows of one batch."""
        return packed_logits(self.model, variants, batch, keep, n_prompt=n_prompt, scope=scope)

    def generate(
        self, variants: Sequence[Variant], batch: Batch, n_tokens: int, *, stop: Sequence[int] | None = None,
        scope: Scope = EVERYWHERE,
    ) -> tuple[Generated, ...]:  # fmt: skip
        """As rows of one batch."""
        return packed_generate(self.model, variants, batch, n_tokens, stop=stop, scope=scope)


def made(model: Model) -> Engine:
    """The engine, not looked at yet and without weights."""
    return VllmEngine(model) if model.hosted else TransformersEngine(model)


def engine_of(model: Model) -> Engine:
    """Where this model's forwards happen.

    Raises:
        BadInput: the model does not compute there what plain transformers computes.
    """
    if "engine" not in model.seen:
        trusted(model)
        model.seen["engine"] = made(model)
    return model.seen["engine"]


def collect(
    request: Request, texts: Sequence[int], token_budget: int = 1024, progress: Progress = int
) -> Float[Tensor, "level row d_model"]:
    """Activations of all requested rows in `texts`, as `collect_into` fills a buffer that is made for them."""
    shape = (len(request.hook_names), len(request.rows_in(texts)), request.model.d_model)
    buffer = torch.empty(shape, dtype=getattr(torch, request.model.dtype))
    collect_into(buffer.unbind(), request, texts, token_budget, progress)
    return buffer


def collect_into(
    buffers: Sequence[Float[Tensor, "row d_model"]], request: Request, texts: Sequence[int], token_budget: int = 1024,
    progress: Progress = int,
) -> None:  # fmt: skip
    """`Engine.read` of the request's model."""
    engine_of(request.model).read(request, texts, buffers, token_budget, progress)
