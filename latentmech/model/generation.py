"""Logits and greedy generation, over transformers' own forward with TransformerLens's hook points in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentmech.errors import BadInput
from latentmech.model.batching import Batch
from latentmech.model.handle import Model
from latentmech.model.road import Road
from latentmech.model.scope import Aim, Scope, text_positions

if TYPE_CHECKING:
    from transformers import DynamicCache

TURN_ENDS = ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>")


@dataclass(frozen=True)
class Generated:
    """What was generated for each prompt of a batch.

    Attributes:
        ids: the new tokens; padding after the one that ended the text.
        lengths: how many of them are real, the ending one included.
        first_logits: the distribution that the first new token was taken from.
    """

    ids: Int[Tensor, "batch new"]
    lengths: Int[Tensor, " batch"]
    first_logits: Float[Tensor, "batch vocab"]


class Runner:
    """Runs batches through a model. It is made by `intervening`, and of use only while that is open."""

    def __init__(self, model: Model, scope: Scope, road: Road = Road()):  # noqa: B008
        self.model = model
        self.road = road
        self.aim = Aim(scope)
        self._hf: Any = model.bridge.original_model
        self._batch: Batch
        self._positions: Tensor | None = None
        self._kept: Tensor | None = None

    def logits(
        self, batch: Batch, keep: int | Int[Tensor, "batch kept"] = 1, n_prompt: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch kept vocab"]:
        """Logits at chosen tokens. The head runs on those only: over a whole batch its output is the largest tensor.

        Args:
            batch: whole texts, padded on either side.
            keep: the last so many tokens of every text, or positions in each text, counted from its first token.
            n_prompt: length of each text's prompt, for the scope; by default all of it is prompt.

        Raises:
            BadInput: a text has no such position.
        """
        batch = batch if self.road.left_padding else batch.right_padded()
        kept = columns_of(batch, keep)
        self.take(batch, lengths_of(batch) if n_prompt is None else n_prompt)
        return self.forward(0, batch.ids.shape[1], kept=kept)

    def generate(
        self, batch: Batch, n_tokens: int, *, stop: Sequence[int] | None = None, use_cache: bool = True
    ) -> Generated:
        """The most likely next token, `n_tokens` times over.

        Args:
            batch: prompts, padded on either side.
            stop: tokens that end a text; by default the model's own. With none, every text runs to `n_tokens`.
            use_cache: keep keys and values between steps; without, every step runs the whole text.

        Raises:
            BadInput: a prompt with its new tokens is longer than the model's context.
        """
        from latentmech.model.kv_cache import new_cache

        if len(batch.ids) > 1 and not self.road.left_padding:
            rows = [batch.alone(i) for i in range(len(batch.ids))]
            return stacked([self.generate(row, n_tokens, stop=stop, use_cache=use_cache) for row in rows])
        room = with_room(self.model, batch, n_tokens)
        self.take(room, lengths_of(batch))
        cache = new_cache(self.model, n_tokens) if use_cache and self.road.cache else None
        return self.decode(self.prefill(n_tokens, cache), n_tokens, cache, stop)

    def take(self, batch: Batch, n_prompt: Int[Tensor, " batch"]) -> None:
        """Work out what no later step changes: positions, and which tokens are edited."""
        self._batch = batch
        self._positions = text_positions(batch) if bool(batch.shift.any()) else None
        self.aim.take(batch, n_prompt)

    def prefill(self, n_tokens: int, cache: "DynamicCache | None") -> Float[Tensor, "batch vocab"]:
        """Run the prompts of the batch taken; its last `n_tokens` columns are still empty."""
        return self.forward(0, self._batch.ids.shape[1] - n_tokens, cache)[:, -1]

    def decode(
        self,
        first_logits: Float[Tensor, "batch vocab"],
        n_tokens: int,
        cache: "DynamicCache | None",
        stop: Sequence[int] | None,
    ) -> Generated:
        """Fill the empty columns of the batch taken, one by one; texts that have ended go on as padding."""
        ids = self._batch.ids
        begin = ids.shape[1] - n_tokens
        ends = torch.tensor(end_ids(self.model) if stop is None else list(stop), dtype=ids.dtype, device=ids.device)
        going, lengths, logits = ids.new_ones(len(ids)).bool(), ids.new_zeros(len(ids)), first_logits
        for column in range(begin, begin + n_tokens):
            if column > begin:
                logits = self.forward(0 if cache is None else column - 1, column, cache)[:, -1]
            lengths += going
            ids[:, column] = torch.where(going, logits.argmax(-1), ids[:, column])
            going &= ~torch.isin(ids[:, column], ends)
            if not bool(going.any()):
                break
        return Generated(ids[:, begin:], lengths, first_logits)

    def forward(
        self, begin: int, end: int, cache: "DynamicCache | None" = None, kept: Int[Tensor, "batch kept"] | None = None
    ) -> Float[Tensor, "batch kept vocab"]:
        """One forward over columns `begin` to `end` of the batch taken.

        Args:
            cache: keys and values of the columns before; those of these columns are added.
            kept: columns to run the head on; by default the last.

        Raises:
            BadInput: the model's head runs on other tokens than those that it is given.
        """
        self.aim.at(begin, end)
        self._kept = kept
        logits = self._hf(**self._inputs(begin, end, cache)).logits
        if logits.shape[1] != (1 if kept is None else kept.shape[1]):
            raise BadInput(f"{self.model.name} gives logits of {logits.shape[1]} tokens where others were asked for")
        return logits

    def backbone(self, begin: int, end: int, cache: "DynamicCache | None" = None, *, edited: bool = True) -> None:
        """Run columns `begin` to `end` as `forward` does, but for the head."""
        self.aim.at(begin, end) if edited else self.aim.away()
        self._hf.base_model(**self._inputs(begin, end, cache))

    def _inputs(self, begin: int, end: int, cache: "DynamicCache | None") -> dict[str, Any]:
        where = {} if self._positions is None else {"position_ids": self._positions[:, begin:end]}
        cached = {"past_key_values": cache, "use_cache": cache is not None}
        return {
            "input_ids": self._batch.ids[:, begin:end],
            "attention_mask": self._batch.mask[:, :end],
            **cached,
            **where,
        }

    @contextmanager
    def narrowed(self) -> Iterator[None]:
        """While it is open, only the chosen tokens reach the head, which stays the model's own.

        What a model does between its backbone and its head it does to all tokens.
        """
        handle = self._hf.get_output_embeddings().register_forward_pre_hook(self._narrow)
        try:
            with _plain_head(self.model):
                yield
        finally:
            handle.remove()

    def _narrow(self, head: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        del head
        hidden, kept = args[0], self._kept
        rows = torch.arange(len(hidden), device=hidden.device)[:, None]
        return (hidden[:, -1:].contiguous() if kept is None else hidden[rows, kept.to(hidden.device)], *args[1:])


@contextmanager
def _plain_head(model: Model) -> Iterator[None]:
    """While it is open, a head that the checkpoint has no bias for adds none; TransformerLens gives it one of zeros.

    Adding it takes as long as writing the logits twice.
    """
    hf: Any = model.bridge.original_model
    head: Any = hf.get_output_embeddings()
    inside: Any = getattr(head, "original_component", head)
    bias = inside._buffers.get("bias")  # a bias of the checkpoint's own is a parameter
    if bias is None or bool(bias.any()):
        yield
        return
    inside._buffers["bias"] = None
    try:
        yield
    finally:
        inside._buffers["bias"] = bias


def stacked(parts: Sequence[Generated]) -> Generated:
    """What was generated for several batches of as many new tokens, as of one."""
    columns = zip(*((part.ids, part.lengths, part.first_logits) for part in parts), strict=True)
    return Generated(*(torch.cat(column) for column in columns))


def lengths_of(batch: Batch) -> Int[Tensor, " batch"]:
    """Number of real tokens of each text."""
    return batch.mask.sum(1)


def columns_of(batch: Batch, keep: int | Int[Tensor, "batch kept"]) -> Int[Tensor, "batch kept"]:
    """Where the wanted tokens lie in the padded batch."""
    lengths = lengths_of(batch)[:, None]
    if isinstance(keep, int):
        at = lengths - torch.arange(keep, 0, -1, device=batch.ids.device)
    else:
        at = keep.to(batch.ids.device)
    if bool(((at < 0) | (at >= lengths)).any()):
        raise BadInput(f"keep={keep} asks for tokens outside a text; the shortest has {int(lengths.min())}")
    return at + batch.shift[:, None]


def with_room(model: Model, batch: Batch, n_tokens: int) -> Batch:
    """The prompts padded on the left, with columns for the new tokens behind.

    Between a prompt and what follows it there must be no padding: a sliding window counts columns.

    Raises:
        BadInput: a text would be longer than the model's context.
    """
    lengths, (size, width) = lengths_of(batch), batch.ids.shape
    if n_tokens < 1 or int(lengths.max()) + n_tokens > model.n_ctx:
        raise BadInput(
            f"{n_tokens} new tokens after a prompt of {int(lengths.max())} is not possible; "
            f"{model.name} reads at most {model.n_ctx} tokens, and at least one is generated"
        )
    columns = torch.arange(width, device=batch.ids.device)
    order = (columns[None] + (lengths + batch.shift)[:, None]) % width
    ids, mask = batch.ids.gather(1, order), batch.mask.gather(1, order)
    new = ids.new_full((size, n_tokens), pad_id(model))
    return replace(
        batch, ids=torch.cat([ids, new], 1), mask=torch.cat([mask, torch.ones_like(new)], 1), shift=width - lengths
    )


def pad_id(model: Model) -> int:
    """What stands after a text that has ended."""
    known = model.tokenizer.pad_token_id
    return int(known if known is not None else (end_ids(model) or (0,))[0])


def end_ids(model: Model) -> tuple[int, ...]:
    """Tokens that end a text: those the model and its tokenizer name, and the usual ends of a turn it has."""
    named = [model.generation_ends, model.config.eos_token_id, model.tokenizer.eos_token_id]
    added = model.tokenizer.get_added_vocab()
    ids = [added[token] for token in TURN_ENDS if token in added]
    for one in named:
        ids += one if isinstance(one, list) else [one]
    return tuple(sorted({int(i) for i in ids if i is not None}))
