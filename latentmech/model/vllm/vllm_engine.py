"""`VllmEngine`: rows, logits and text from vLLM, every text and variant a request of its own in one queue."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.errors import BadInput, IntegrityError, ResourceError, first_line
from latentmech.model.batching import Batch, out_of_memory
from latentmech.model.generation import Generated, columns_of, end_ids, lengths_of, pad_id, with_room
from latentmech.model.handle import Model
from latentmech.model.intervention import places_of
from latentmech.model.levels import SITES
from latentmech.model.moments import Moments
from latentmech.model.rows import Progress, Request, poolings_of
from latentmech.model.scope import Edit, Scope
from latentmech.model.vllm.boot import booted
from latentmech.model.vllm.requests import KEY, VllmRequest
from latentmech.model.vllm.server import Server
from latentmech.model.vllm.wire import edit_out, packed, unpacked
from latentmech.model.vllm.worker import POOLED
from latentmech.tensors import finite

Variant = Mapping[str, Edit]
READABLE = ("resid_post", "resid_pre")
EVERYWHERE = Scope()
FOREVER = 2**31
EXACT = ("last", "first")  # poolings that copy one token
NAMES = count()


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What a run gave: new tokens of each request, rows by level, logits by place."""

    tokens: list[list[int]]
    rows: dict[int, Float[Tensor, "row d_model"]] = field(default_factory=dict)
    logits: Float[Tensor, "head vocab"] | None = None


@dataclass(frozen=True)
class VllmEngine:
    """vLLM with our extension in its workers."""

    model: Model

    @cached_property
    def llm(self) -> Any:
        """vLLM, started on first touch."""
        return booted(self.model)

    @property
    def server(self) -> Server | None:
        """Where vLLM is running already, if it is."""
        return Server(self.model.url) if self.model.url else None

    def open(self) -> None:
        """Start vLLM here, or see that the server has the extension.

        Raises:
            BadInput: it has compiled the model, or runs it in another precision.
        """
        said = self.server.call("latentmech_open") if self.server else self.llm.collective_rpc("latentmech_open")
        if not all(one["eager"] and one["dtype"] == self.model.dtype for one in said):
            raise BadInput(
                f"vLLM has compiled {self.model.name}, so that hooks never fire, or runs it in another precision than "
                f"{self.model.dtype}; start the server with --enforce-eager, or set model.engine=transformers"
            )

    def refuse_points(self, hook_names: Collection[str]) -> None:
        """BadInput if hook points among these are inside blocks."""
        for name in hook_names:
            if (site := name.rpartition("hook_")[2]) not in READABLE:
                raise BadInput(
                    f"{name} lies inside a block, which model.engine=vllm does not read; set site=resid_post, or "
                    f"model.engine=transformers{'' if site in SITES else ' (and check its name)'}"
                )

    def read(
        self, request: Request, texts: Sequence[int], buffers: Sequence[Float[Tensor, "row d_model"]],
        token_budget: int = 1024, progress: Progress = int,
    ) -> None:  # fmt: skip
        """Fill the buffers; how tokens are put together is vLLM's own to say, so the budget is not looked at."""
        del token_budget
        self.refuse_points(request.hook_names)
        levels = [level_of(name) for name in request.hook_names]
        found = self.run(list(_readings(request, texts)), progress, levels=levels)
        for level, buffer in zip(levels, buffers, strict=True):
            buffer.copy_(found.rows[level])

    def moments(
        self, request: Request, texts: Sequence[int], labels: Int[Tensor, " row"], n_classes: int,
        chunk_rows: int = 4096, progress: Progress = int,
    ) -> list[Moments]:  # fmt: skip
        """Moments of what `read` gives, one for each hook point: rows stay where they are computed, and sums travel.

        Args:
            labels: the class of each row, as `request.rows_in(texts)` has them.
            chunk_rows: about so many rows are held at a time.
        """
        self.refuse_points(request.hook_names)
        levels, exact = [level_of(name) for name in request.hook_names], request.pooling in EXACT
        self._call("latentmech_moments")  # what a run that failed has left
        begin = 0
        for some in _chunks(request, texts, chunk_rows):
            asked = list(_readings(request, some))
            n_tokens = _tokens_wanted(asked)
            self._call("latentmech_want", levels, len(n_tokens), 0, [], exact)
            self._queue(asked, progress)
            end = begin + len(n_tokens)
            self._check(self._call("latentmech_fold", packed(labels[begin:end]), n_classes), n_tokens, 0)
            begin = end
        answers = self._call("latentmech_moments")
        found = {level: parts for one in answers for level, parts in one.items()}
        return [Moments(*map(unpacked, found[str(level)])) for level in levels]

    def logits(
        self, variants: Sequence[Variant], batch: Batch, keep: int | Int[Tensor, "batch kept"] = 1, *,
        n_prompt: Int[Tensor, " batch"] | None = None, scope: Scope = EVERYWHERE,
    ) -> Float[Tensor, "variant batch kept vocab"]:  # fmt: skip
        """At chosen positions of every text under every variant."""
        at = (columns_of(batch, keep) - batch.shift[:, None]).cpu()
        lengths = lengths_of(batch).cpu()
        prompts = lengths if n_prompt is None else n_prompt.cpu()
        shape = (len(variants), *at.shape)
        heads = torch.arange(at.numel() * len(variants)).reshape(shape)
        asked = [
            VllmRequest(ids, {"heads": list(zip(at[i].tolist(), heads[v, i].tolist(), strict=True))} | edits)
            for v, variant in enumerate(variants)
            for i, (ids, edits) in enumerate(_edited(variant, v, batch, prompts, scope))
        ]
        found = self.run(asked, variants=variants, heads=heads.numel())
        assert found.logits is not None
        return self._sound(found.logits).reshape(*shape, -1).to(self.model.torch_device)

    def generate(
        self, variants: Sequence[Variant], batch: Batch, n_tokens: int, *, stop: Sequence[int] | None = None,
        scope: Scope = EVERYWHERE,
    ) -> tuple[Generated, ...]:  # fmt: skip
        """Greedy answers, every prompt under every variant as a request of its own."""
        lengths = lengths_of(with_room(self.model, batch, n_tokens)) - n_tokens
        ends, size = list(end_ids(self.model) if stop is None else stop), len(batch.ids)
        asked = [
            VllmRequest(ids, {"heads": [(len(ids) - 1, v * size + i)]} | edits, n_tokens, ends)
            for v, variant in enumerate(variants)
            for i, (ids, edits) in enumerate(_edited(variant, v, batch, lengths.cpu(), scope))
        ]
        found = self.run(asked, variants=variants, heads=len(asked))
        assert found.logits is not None
        first = self._sound(found.logits).reshape(len(variants), size, -1)
        parts = [found.tokens[v * size : (v + 1) * size] for v in range(len(variants))]
        return tuple(self._generated(rows, n_tokens, own) for rows, own in zip(parts, first, strict=True))

    def head(self, states: Float[Tensor, "row d_model"], only_norm: bool = False) -> Float[Tensor, "row _"]:
        """What the final norm, and the head behind it, make of states.

        Raises:
            BadInput: the model has no final norm that is known.
        """
        answers = self._call("latentmech_head", packed(states), only_norm)
        return unpacked(next(answer for answer in answers if answer is not None))

    def run(
        self, asked: Sequence[VllmRequest], progress: Progress = int, *, levels: Sequence[int] = (),
        variants: Sequence[Variant] = (), heads: int = 0,
    ) -> Brought:  # fmt: skip
        """Put all requests into the queue, run it empty, and take what the workers have.

        Raises:
            BadInput: an edit that is code; a place inside blocks that are not known.
            IntegrityError: the hooks did not see every token once.
            ResourceError: memory ran out.
        """
        n_tokens = _tokens_wanted(asked)
        exact = all(POOLED[row[3]] in EXACT for one in asked for row in one.plan.get("rows", ()))
        described = [self._described(variant) for variant in variants]
        self._call("latentmech_want", list(levels), len(n_tokens), heads, described, exact)
        tokens = self._queue(asked, progress)
        answers = self._call("latentmech_brought")
        self._check(answers, n_tokens, heads)
        rows = {int(level): unpacked(own) for one in answers for level, own in one["rows"].items()}
        logits = next((unpacked(one["logits"]) for one in answers if "logits" in one), None)
        return Brought(tokens=tokens, rows=rows, logits=logits)

    def _described(self, variant: Variant) -> dict[str, Any]:
        """The edits of a variant by place, as a worker wants them."""
        places = places_of(variant, self.model.n_layers)
        return {f"{below}:{part}": edit_out(variant[name]) for (below, part), name in places.items()}

    def _call(self, method: str, *args: Any) -> list[Any]:
        if self.server:
            return self.server.call(method, *args)
        try:
            return self.llm.collective_rpc(method, args=args)
        except (ValueError, RuntimeError) as error:  # the second, where a worker is a process of its own
            if out_of_memory(error):
                raise self._too_large() from error
            raise BadInput(
                f"{self.model.name} under vLLM: {first_line(error)}; set model.engine=transformers"
            ) from error

    def _queue(self, asked: Sequence[VllmRequest], progress: Progress) -> list[list[int]]:
        """New tokens of each request, in the order in which they were asked."""
        if self.server:
            return self.server.answers(asked, progress)
        engine, names = self.llm.llm_engine, [f"latentmech-{next(NAMES)}" for _ in asked]
        place, found = {name: i for i, name in enumerate(names)}, [list[int]() for _ in asked]
        try:
            for name, one in zip(names, asked, strict=True):
                engine.add_request(name, _prompt(one), _sampling(one))
            while engine.has_unfinished_requests():
                for out in engine.step():
                    if out.finished:
                        found[place[out.request_id]] = list(out.outputs[0].token_ids)
                        progress(len(asked[place[out.request_id]].ids))
        except Exception as error:  # vLLM has kinds of its own
            engine.abort_request(names)
            if out_of_memory(error):
                raise self._too_large() from error
            if "context length" in str(error) or "max_model_len" in str(error):
                raise BadInput(
                    f"a text is longer than vLLM was given room for ({error}); set data.too_long, or "
                    "model.engine_arguments={max_model_len: N}"
                ) from error
            raise
        return found

    def _too_large(self) -> ResourceError:
        return ResourceError(
            f"{self.model.name} ran out of memory under vLLM; set model.engine_arguments={{max_num_seqs: 64}}"
        )

    def _check(self, answers: Sequence[Mapping[str, Any]], n_tokens: Int[np.ndarray, " row"], heads: int) -> None:
        for one in answers:
            if one["fires"] != one["expected_fires"]:
                raise IntegrityError(
                    f"{self.model.name} under vLLM: hooks fired {one['fires']} times where {one['expected_fires']} was "
                    "expected; blocks were left out, or compiled without them"
                )
            if one["done"] is None:
                continue
            done = unpacked(one["done"])
            if wrong := int((done != torch.from_numpy(n_tokens)).sum()):
                raise IntegrityError(
                    f"{self.model.name} under vLLM: {wrong} of {len(done)} rows were not given their tokens once each; "
                    "a prefix cache that is read, or a text cut short, does that"
                )
        if (headed := max((one["headed"] for one in answers), default=0)) != heads:
            raise IntegrityError(
                f"{self.model.name} under vLLM: logits of {headed} tokens where {heads} were asked for"
            )

    def _sound(self, logits: Tensor) -> Tensor:
        remedy = "set model.dtype=float32, or edit less"
        return finite(logits, f"what {self.model.name} says in {self.model.dtype} under vLLM", remedy)

    def _generated(self, rows: Sequence[Sequence[int]], n_tokens: int, first: Tensor) -> Generated:
        ids = torch.full((len(rows), n_tokens), pad_id(self.model), dtype=torch.long)
        for i, own in enumerate(rows):
            ids[i, : len(own)] = torch.tensor(own, dtype=torch.long)
        lengths, device = torch.tensor([len(own) for own in rows]), self.model.torch_device
        return Generated(ids.to(device), lengths.to(device), first.to(device))


def level_of(hook_name: str) -> int:
    """0 for what the first block is given, 1 for what it returns, and so on."""
    layer, _, site = hook_name.removeprefix("blocks.").partition(".hook_")
    return int(layer) + (site == "resid_post")


def _readings(request: Request, texts: Sequence[int]) -> Iterator[VllmRequest]:
    """A request for each text; its rows lie in the buffers as `request.rows_in(texts)` has them."""
    names, at = [POOLED.index(name) for name in poolings_of(request.pooling)], 0
    for text in texts:
        rows = request.rows[request.of_text.get(text, np.empty(0, dtype=np.int64))]
        plan = [[int(f), int(to), at + i, names[(at + i) % len(names)]] for i, (_, f, to) in enumerate(rows.tolist())]
        at += len(plan)
        yield VllmRequest(request.tokens.ids[text].tolist(), {"rows": plan})


def _chunks(request: Request, texts: Sequence[int], most: int) -> Iterator[list[int]]:
    """Texts one after the other, cut where so many rows are full."""
    chunk, n = list[int](), 0
    for text in texts:
        chunk.append(text)
        n += len(request.of_text.get(text, ()))
        if n >= most:
            yield chunk
            chunk, n = [], 0
    if n:
        yield chunk


def _tokens_wanted(asked: Sequence[VllmRequest]) -> Int[np.ndarray, " row"]:
    """How many tokens go into each row."""
    rows = [row for one in asked for row in one.plan.get("rows", ())]
    found = np.zeros(len(rows), dtype=np.int64)
    for first, last, to, how in rows:
        found[to] = 1 if POOLED[how] in EXACT else last - first + 1
    return found


def _edited(
    variant: Variant, number: int, batch: Batch, n_prompt: Int[Tensor, " batch"], scope: Scope
) -> Iterator[tuple[list[int], dict[str, Any]]]:
    """Tokens of each text, and what edits them where."""
    for i, prompt in enumerate(n_prompt.tolist()):
        ids = batch.alone(i).ids[0].tolist()
        yield ids, {"variant": number, "edited": spans_of(scope, prompt)} if variant else {}


def spans_of(scope: Scope, n_prompt: int) -> list[tuple[int, int]]:
    """The positions of a text that a scope reaches, as intervals without their end."""
    last = FOREVER if scope.last is None else scope.last
    halves = [(0, n_prompt)] * scope.prompt + [(n_prompt, FOREVER)] * scope.generated
    return [(low, high) for a, b in halves if (low := max(a, scope.first)) < (high := min(b, last))]


def _prompt(one: VllmRequest) -> dict[str, Any]:
    """Tokens; edited ones with a salt of their own, for a prefix cache does not look at edits."""
    salted = {"cache_salt": f"latentmech-{next(NAMES)}"} if "variant" in one.plan else {}
    return {"prompt_token_ids": list(one.ids)} | salted


def _sampling(one: VllmRequest) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=0, max_tokens=one.n_tokens, stop_token_ids=list(one.stop), ignore_eos=True, detokenize=False,
        skip_reading_prefix_cache=True, output_kind=RequestOutputKind.FINAL_ONLY,
        extra_args={KEY: dict(one.plan)} if one.plan else None,
    )  # fmt: skip
