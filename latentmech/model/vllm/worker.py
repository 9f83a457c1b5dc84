"""What runs inside a worker of vLLM: hooks that read, sum up and edit the residual stream, token by token.

vLLM mixes `LatentmechExtension` into its worker (`worker_extension_cls`). A forward runs tokens of many requests as
rows of one matrix, a long prompt over several steps, and after a preemption the same tokens again; so each request
brings a plan of what is wanted of which of its positions, and each step works out, once, which rows these are. A token
counts the first time that it is run. All that is known of vLLM's insides stands in this file; it was written for
version 0.32.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from latentmech.model.moments import Moments
from latentmech.model.scope import Edit
from latentmech.model.vllm.requests import KEY
from latentmech.model.vllm.wire import edit_in, from_json, packed, to_json, unpacked

POOLED = ("last", "first", "mean", "weighted_mean")
PARTS = {
    "attn_out": ("self_attn", "attn", "self_attention"),
    "mlp_out": ("mlp", "feed_forward", "block_sparse_moe", "moe"),
}
NORMED = {"attn_out": "post_attention_layernorm", "mlp_out": "post_feedforward_layernorm"}  # where both are there
FINAL_NORMS = ("norm", "ln_f", "final_layernorm", "final_layer_norm")
RESID = "resid"


@dataclass(frozen=True)
class Located:
    """Some tokens of one request in a step: they lie in rows from `begin` on, positions `first` up to `end`.

    Attributes:
        fresh: the first position that no earlier step has run.
    """

    plan: Mapping[str, Any]
    begin: int
    first: int
    end: int
    fresh: int

    def row(self, position: int) -> int:
        """Where a position lies."""
        return self.begin + position - self.first


class Step:
    """What is wanted of the rows of one step.

    Attributes:
        picks: rows that are copied, and to where.
        sums: rows that are added, to where, and with which weight.
        heads: rows whose logits are wanted, and to where.
        edited: rows by the variant that edits them.
    """

    def __init__(self, located: Sequence[Located], device: torch.device):
        self.located, self.n = located, max((at.begin + at.end - at.first for at in located), default=0)
        picks, sums, heads = list[tuple[int, int]](), list[tuple[int, int, float]](), list[tuple[int, int]]()
        edited: dict[int, list[int]] = {}
        for at in located:
            for row in at.plan.get("rows", ()):
                _place(at, row, picks, sums)
            fresh = [(p, to) for p, to in at.plan.get("heads", ()) if at.fresh <= p < at.end]
            heads += [(at.row(p), to) for p, to in fresh]
            if "variant" in at.plan:
                spans = [(max(low, at.first), min(high, at.end)) for low, high in at.plan["edited"]]
                rows = edited.setdefault(at.plan["variant"], [])
                rows += [at.row(position) for low, high in spans for position in range(low, high)]

        def index(values: Iterable[Any], dtype: torch.dtype = torch.long) -> Tensor:
            return torch.tensor(list(values), dtype=dtype, device=device)

        self.picks = index(p[0] for p in picks), index(p[1] for p in picks)
        weights = index((s[2] for s in sums), torch.float32)
        self.sums = index(s[0] for s in sums), index(s[1] for s in sums), weights
        self.heads = index(h[0] for h in heads), index(h[1] for h in heads)
        self.edited = {variant: index(rows) for variant, rows in edited.items() if rows}


def _place(at: Located, row: Sequence[int], picks: list[tuple[int, int]], sums: list[tuple[int, int, float]]) -> None:
    """What of one row, `[first, last, to, pooling]`, this step brings."""
    first, last, to, how = row
    name = POOLED[how]
    if name in ("last", "first"):
        position = last if name == "last" else first
        if at.fresh <= position < at.end:
            picks.append((at.row(position), to))
        return
    n = last - first + 1
    for position in range(max(first, at.fresh), min(last + 1, at.end)):
        weight = 1 / n if name == "mean" else 2 * (position - first + 1) / (n * (n + 1))
        sums.append((at.row(position), to, weight))


@dataclass
class Wanted:
    """What a run is to bring, and what it has brought.

    Attributes:
        rows: by level, `[row, d_model]`.
        done: how many tokens each row has been given.
        variants: edits of each variant, by the number of blocks below and the part.
    """

    rows: dict[int, Tensor] = field(default_factory=dict)
    done: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    heads: int = 0
    logits: Tensor | None = None
    headed: int = 0
    variants: Sequence[Mapping[tuple[int, str], Edit]] = ()
    fires: int = 0
    steps: int = 0


@dataclass
class Inside:
    """The model of this worker, as far as it is known here.

    Attributes:
        owned: the blocks that are here.
        sends: whether it is the first of those that hold parts of the same blocks, and so the same stream.
        moments: what was summed up of the rows of each level.
    """

    runner: Any
    model: Any
    backbone: nn.Module
    layers: nn.ModuleList
    owned: list[int]
    sends: bool
    plans: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    run_to: dict[str, int] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    live: bool = False
    step: Step | None = None
    parts: list[Any] = field(default_factory=list)
    moments: dict[int, Moments] = field(default_factory=dict)


class LatentmechExtension:
    """Methods of a worker, called by `collective_rpc`; each name begins as the package does."""

    latentmech_inside: Inside
    model_runner: Any

    def latentmech_open(self) -> dict[str, Any]:
        """Hook every block that this worker owns, once; returns what is here."""
        from vllm.distributed import get_tp_group

        if not hasattr(self, "latentmech_inside"):
            self.latentmech_inside = _opened(self.model_runner, get_tp_group().rank_in_group == 0)
        inside, config = self.latentmech_inside, self.model_runner.model_config
        return {
            "owned": list(inside.owned),
            "sends": inside.sends,
            "eager": bool(config.enforce_eager),
            "dtype": str(config.dtype).removeprefix("torch."),
        }

    def latentmech_json(self, method: str, args: str) -> dict[str, Any]:
        """Any of these methods, for a server that takes text and gives JSON."""
        if not method.startswith("latentmech_"):
            raise ValueError(f"{method} is none of ours")
        return {"answer": to_json(getattr(self, method)(*from_json(json.loads(args))))}

    def latentmech_want(
        self, levels: Sequence[int], n_rows: int, heads: int, variants: Sequence[Mapping[str, Any]], exact: bool
    ) -> bool:
        """Make room for what the next run brings.

        Args:
            levels: 0 for what the first block is given, then block by block.
            n_rows: rows wanted of each.
            heads: positions whose logits are wanted.
            variants: edits of each variant, by place, such as `3:resid`.
            exact: rows are copies of one token, and need no more precision than the model has.
        """
        inside = self.latentmech_inside
        dtype = self.model_runner.model_config.dtype if exact else torch.float32
        device, width = self.model_runner.device, self.model_runner.model_config.get_hidden_size()
        here = [level for level in levels if level - 1 in inside.owned or level == 0 == inside.owned[0]]
        mine = here if inside.sends else []
        inside.plans.clear()
        inside.run_to.clear()
        inside.wanted = Wanted(
            rows={level: torch.zeros(n_rows, width, dtype=dtype, device=device) for level in mine},
            done=torch.zeros(n_rows if mine else 0, dtype=torch.long, device=device),
            heads=heads,
            variants=[{_place_of(name): edit_in(said) for name, said in one.items()} for one in variants],
        )
        _hook_parts(inside)
        return True

    def latentmech_brought(self) -> dict[str, Any]:
        """What the run brought; rows of the levels that this worker owns."""
        wanted, answer = self.latentmech_inside.wanted, _counted(self.latentmech_inside)
        answer["rows"] = {str(level): packed(rows) for level, rows in wanted.rows.items()}
        if wanted.logits is not None and self.latentmech_inside.sends:
            answer["logits"] = packed(wanted.logits)
        self.latentmech_inside.wanted = Wanted()
        return answer

    def latentmech_fold(self, labels: Mapping[str, Any], n_classes: int) -> dict[str, Any]:
        """Add the rows that the run brought to the moments of their levels; they themselves stay here and are let go.

        What a preemption ran again is not in them twice, for each row has one place.
        """
        inside, classes = self.latentmech_inside, unpacked(labels)
        for level, rows in inside.wanted.rows.items():
            own = Moments.of(rows.float(), classes.to(rows.device), n_classes)
            inside.moments[level] = inside.moments[level] + own if level in inside.moments else own
        answer = _counted(inside)
        inside.wanted = Wanted()
        return answer

    def latentmech_moments(self) -> dict[str, Any]:
        """All that was summed up since this was last asked, level by level."""
        found = {
            str(level): [packed(part) for part in (own.counts, own.means, own.within)]
            for level, own in self.latentmech_inside.moments.items()
        }
        self.latentmech_inside.moments = {}
        return found

    def latentmech_head(self, states: Mapping[str, Any], only_norm: bool) -> dict[str, Any] | None:
        """What the final norm, and the head behind it, make of states; None where another worker has them."""
        inside = self.latentmech_inside
        if len(inside.layers) - 1 not in inside.owned:
            return None
        names = [name for name in FINAL_NORMS if isinstance(getattr(inside.backbone, name, None), nn.Module)]
        if not names:
            raise ValueError(f"{type(inside.model).__name__} has no final norm that is known here")
        own = unpacked(states).to(self.model_runner.device, self.model_runner.model_config.dtype)
        with torch.inference_mode():
            normed = getattr(inside.backbone, names[0])(own)
            found = normed if only_norm else inside.model.compute_logits(normed)
        return None if found is None else packed(found.float())


def _counted(inside: Inside) -> dict[str, Any]:
    """How often the hooks of a run saw what they were to see."""
    wanted = inside.wanted
    return {
        "done": packed(wanted.done) if wanted.rows else None,
        "headed": wanted.headed,
        "fires": wanted.fires,
        "expected_fires": wanted.steps * len(inside.owned),
    }


def _opened(runner: Any, sends: bool) -> Inside:
    """Find the blocks, and hang hooks on them; nothing is read or edited before a plan asks for it."""
    model = runner.get_model()
    config = runner.model_config.hf_config.get_text_config()
    backbone, layers = next(
        (module, child)
        for module in model.modules()
        for child in module.children()
        if isinstance(child, nn.ModuleList) and len(child) == config.num_hidden_layers
    )
    owned = [i for i, layer in enumerate(layers) if type(layer).__name__ != "PPMissingLayer"]
    inside = Inside(runner, model, backbone, layers, owned, sends)
    model.register_forward_pre_hook(lambda *_: _locate(inside))
    layers[owned[0]].register_forward_pre_hook(lambda _, args, kwargs: _first(inside, args, kwargs), with_kwargs=True)
    for i in owned:
        layers[i].register_forward_hook(partial(_returned, inside, i + 1))
    model.register_forward_hook(lambda *given: _headed(inside, given[-1]))
    runner.execute_model = _watched(inside, runner.execute_model)
    if owned[0] > 0 and getattr(runner, "intermediate_tensors", 0) is None:  # on a CPU no dry run allocates them
        runner.intermediate_tensors = model.make_empty_intermediate_tensors(
            batch_size=runner.max_num_tokens, dtype=runner.model_config.dtype, device=runner.device
        )
    return inside


def _watched(inside: Inside, execute: Callable[..., Any]) -> Callable[..., Any]:
    """A step of the runner, with the plans of requests that are new, and what it has run noted behind it."""

    def step(scheduled: Any, *args: Any, **kwargs: Any) -> Any:
        for new in scheduled.scheduled_new_reqs:
            asked = (new.sampling_params.extra_args or {}).get(KEY) if new.sampling_params else None
            if asked is not None:
                inside.plans[new.req_id] = json.loads(asked) if isinstance(asked, str) else asked
        inside.live = True
        try:
            return execute(scheduled, *args, **kwargs)
        finally:
            inside.live, inside.step = False, None
            for name in scheduled.finished_req_ids:
                inside.plans.pop(name, None)

    return step


def _locate(inside: Inside) -> None:
    """Before a forward: which request has which rows."""
    inside.step = None
    if not inside.live:
        return
    batch, starts = inside.runner.input_batch, inside.runner.query_start_loc.np
    located = []
    for i, name in enumerate(batch.req_ids[: batch.num_reqs]):
        if plan := inside.plans.get(name):
            begin, first = int(starts[i]), int(batch.num_computed_tokens_cpu[i])
            end = first + int(starts[i + 1]) - begin
            located.append(Located(plan, begin, first, end, max(first, inside.run_to.get(name, 0))))
            inside.run_to[name] = max(end, inside.run_to.get(name, 0))
    inside.step = Step(located, inside.runner.device)
    inside.wanted.steps += 1
    if inside.wanted.done.numel():
        for to in (inside.step.picks[1], inside.step.sums[1]):
            inside.wanted.done.index_add_(0, to, torch.ones_like(to))


def _first(inside: Inside, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    """What the first block of this worker is given: level 0, where it is the first of the model."""
    if inside.step is None or inside.owned[0] > 0:
        return None
    place = next((i for i, value in enumerate(args) if _is_stream(value)), None)
    resid = kwargs["hidden_states"] if place is None else args[place]
    edited = _edited(inside, (0, RESID), resid, None)
    _take(inside, 0, resid if edited is None else edited, None)
    if edited is None:
        return None
    if place is None:
        return args, kwargs | {"hidden_states": edited}
    return (*args[:place], edited, *args[place + 1 :]), kwargs


def _is_stream(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _returned(inside: Inside, level: int, block: nn.Module, args: Any, out: Any) -> Any:
    del block, args
    return _after(inside, level, out)


def _after(inside: Inside, level: int, out: Any) -> Any:
    """What a block returns: the stream, or what it adds and the stream that this is added to."""
    if inside.step is None:
        return None
    inside.wanted.fires += 1
    new, rest = (out[0], out[1:]) if isinstance(out, tuple) else (out, ())
    before = rest[0] if rest and isinstance(rest[0], Tensor) else None
    edited = _edited(inside, (level, RESID), new, before)
    _take(inside, level, new if edited is None else edited, before)
    if edited is None:
        return None
    return (edited, *rest) if isinstance(out, tuple) else edited


def _edited(inside: Inside, place: tuple[int, str], new: Tensor, before: Tensor | None) -> Tensor | None:
    """The stream, less `before`, with the rows of each variant that edits this place edited; None if there are none."""
    assert inside.step is not None
    found = None
    for variant, rows in inside.step.edited.items():
        if (edit := inside.wanted.variants[variant].get(place)) is None:
            continue
        found = new.clone() if found is None else found
        flat = found.view(-1, found.shape[-1])
        own = flat[rows]
        resid = own if before is None else own + before.reshape(flat.shape)[rows]
        flat[rows] = edit(resid[None])[0] if before is None else own + (edit(resid[None])[0] - resid)
    return found


def _take(inside: Inside, level: int, new: Tensor, before: Tensor | None) -> None:
    """Put the rows of one level where they belong."""
    assert inside.step is not None
    if (kept := inside.wanted.rows.get(level)) is None:
        return
    flat = new.view(-1, new.shape[-1])
    rest = None if before is None else before.view(flat.shape)

    def resid(rows: Tensor) -> Tensor:
        return flat[rows] if rest is None else flat[rows] + rest[rows]

    rows, to = inside.step.picks
    if len(rows):
        kept[to] = resid(rows).to(kept.dtype)
    rows, to, weights = inside.step.sums
    if len(rows):
        kept.index_add_(0, to, resid(rows).float() * weights[:, None])


def _headed(inside: Inside, out: Any) -> None:
    """Logits of the tokens that they are wanted of, from what the backbone returns behind its final norm."""
    if inside.step is None or not inside.wanted.heads or not isinstance(out, Tensor):
        return
    rows, to = inside.step.heads
    if not len(rows):
        return
    found = inside.model.compute_logits(out.view(-1, out.shape[-1])[rows])
    if found is None:  # another worker of this layer has them
        return
    wanted = inside.wanted
    if wanted.logits is None:
        wanted.logits = torch.zeros(wanted.heads, found.shape[-1], dtype=torch.float32, device=found.device)
    wanted.logits[to] = found.float()
    wanted.headed += len(rows)


def _place_of(name: str) -> tuple[int, str]:
    below, _, part = name.partition(":")
    return int(below), part


def _hook_parts(inside: Inside) -> None:
    """Hooks on attention and MLP, while a variant edits what they write."""
    for handle in inside.parts:
        handle.remove()
    asked = {place for edits in inside.wanted.variants for place in edits if place[1] != RESID}
    inside.parts = []
    for layer, part in asked:
        if layer in inside.owned:
            module = _part(inside.layers[layer], part)
            hook = _writing(inside, (layer, part))
            inside.parts.append(module.register_forward_hook(hook))


def _writing(inside: Inside, place: tuple[int, str]) -> Callable[..., Any]:
    def hook(module: nn.Module, args: Any, out: Any) -> Any:
        del module, args
        if inside.step is None:
            return None
        edited = _edited(inside, place, out[0] if isinstance(out, tuple) else out, None)
        return (edited, *out[1:]) if edited is not None and isinstance(out, tuple) else edited

    return hook


def _part(layer: nn.Module, part: str) -> nn.Module:
    """What writes to the stream: attention or MLP, or the norm behind it where blocks have one there."""
    normed = [getattr(layer, name, None) for name in NORMED.values()]
    if all(isinstance(module, nn.Module) for module in normed):
        return getattr(layer, NORMED[part])
    named = [getattr(layer, name, None) for name in PARTS[part]]
    found = next((module for module in named if isinstance(module, nn.Module)), None)
    if found is None:
        raise ValueError(f"{type(layer).__name__} has no {part} that is known here")
    return found
