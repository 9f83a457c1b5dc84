"""A loaded model against plain transformers, check by check.

A size is relative: of states, |difference| / |expected| of a token's vector; of logits, the same after their mean is
taken off, which no probability depends on. In single precision the worst token (or generation) counts; in half
precision, where rounding alone can send a token to another expert, the median one of the worst text.

What fails and has a remedy is gone round: the remedy says how. What fails without one means that this is not the model.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.model.batching import Batch, pad
from latentmech.model.handle import Model
from latentmech.model.intervention import hooked_editing, hooked_reading
from latentmech.model.levels import EMBED_HOOK, levels_of
from latentmech.model.parity.check import (
    ABLATION,
    AGAINST_FLOAT32,
    CACHE,
    LEFT,
    LENS,
    NEAR,
    TINY,
    TOLERANCES,
    Check,
    Sized,
    centred,
    measured,
    regret,
    relative,
    road_of,
)
from latentmech.model.parity.truth import Truth
from latentmech.model.points import heard
from latentmech.model.road import Road
from latentmech.model.scope import Edit
from latentmech.model.vocabulary import read_out

COARSE = {"int8": 0.25, "nf4": 5e-2}  # bitsandbytes: outliers are those of a batch, kernels go by its size
FAR = 0.25  # of a state, beyond which it is hardly that of the published weights any more


def checks_of(model: Model, truth: Truth) -> tuple[Check, ...]:
    """Every check, in the order in which they are read."""
    return tuple(_Measuring(model, truth).checks())


def against_float32(model: Model, truth: Truth) -> tuple[Check, ...]:
    """Plain transformers with these weights in these numbers against its own in float32, where they differ."""
    if truth.unrounded is None:
        return ()
    level, size = truth.unrounded if isinstance(truth.unrounded, str) else "", math.nan
    if not isinstance(truth.unrounded, str):
        pairs = zip(truth.states, truth.unrounded, strict=True)
        sizes = torch.stack([relative(own, other).median(-1).values for own, other in pairs]).amax(0)
        worst = int(sizes.argmax())
        level, size = levels_of(model.n_layers)[worst].label, float(sizes[worst])
    return (Check(name=AGAINST_FLOAT32, level=level, size=size, tolerance=FAR, need=NEAR),)


@dataclass
class _Measuring:
    """The checks of one model; what one finds out, later ones build on."""

    model: Model
    truth: Truth
    done: list[Check] = field(default_factory=list)

    def checks(self) -> list[Check]:
        """All of them."""
        self._say("a state knows nothing of what follows", lambda: ("", self.truth.earlier))
        alone = partial(self._states, [[row] for row in self.truth.ids], "right")
        self._say("states, one text", alone, tolerance=TOLERANCES[self.model.dtype])
        self._say("states, padded right", partial(self._states, [self.truth.ids], "right"))
        self._say("states, padded left", partial(self._states, [self.truth.ids], "left"), LEFT)
        self._say("logits, padded right", partial(self._logits, "right"))
        self._say("logits, padded left", partial(self._logits, "left"), LEFT)
        self._say("an edit reaches the next block once", self._next_block)
        self._say("logits under an edit", self._edited_logits)
        self._say("strength 0 changes no bit", self._nought, tolerance=0.0)
        self._say("states, with a cache", self._cached_states, CACHE)
        self._say("generation, whole text", partial(self._generation, False))
        self._say("generation, with a cache", partial(self._generation, True), CACHE)
        self._say("the head on the last states", self._lens, LENS)
        for site in ("resid_mid", "attn_out", "mlp_out"):
            self._say(f"every block has {site}", partial(self._site, site), "site", 0.0)
        self._say("attn_out and mlp_out are all that is written", self._writes, ABLATION)
        self._say("ablation leaves nothing behind", self._ablation, ABLATION)
        return self.done

    def _say(self, name: str, measure: Callable[[], Sized], need: str = "", tolerance: float | None = None) -> None:
        rounding = max(TOLERANCES[self.model.dtype], COARSE.get(self.model.quantization, 0))
        self.done.append(measured(name, measure, rounding if tolerance is None else tolerance, need))

    @property
    def road(self) -> Road:
        """What has held so far."""
        return road_of(self.done)

    def _batch(self, side: str) -> Batch:
        return pad(self.truth.ids, 0, side, self.model.torch_device)

    def _quick(self, n: int | None = None) -> Batch:
        """The first so many texts as a generation wants them, or one alone."""
        if not self.road.left_padding:
            return self._batch("right").alone(0)
        return pad(self.truth.ids[:n], 0, "left", self.model.torch_device)

    @property
    def _post(self) -> str:
        return f"blocks.{self.truth.layer}.hook_resid_post"

    @property
    def _parts(self) -> list[str]:
        return [f"blocks.{i}.hook_{part}" for i in range(self.model.n_layers) for part in ("attn_out", "mlp_out")]

    def _add(self, times: float | int = 1) -> Edit:
        vector = self.truth.vector * times
        return lambda resid: resid + vector.to(resid)

    # ---- what is read

    def _expected(self) -> Sequence[Float[Tensor, "level _ d_model"]]:
        """Folded weights have a residual stream of their own, of which one text at a time says what it is."""
        if not self.model.compatibility_mode:
            return self.truth.states
        return [read(self.model, pad([row], 0, "right", self.model.torch_device))[0] for row in self.truth.ids]

    def _states(self, batches: Sequence[Sequence[Any]], side: str) -> Sized:
        found = [state for rows in batches for state in read(self.model, pad(rows, 0, side, self.model.torch_device))]
        return self._worst(found, self._expected())

    def _worst(self, found: Sequence[Tensor], expected: Sequence[Tensor]) -> Sized:
        """The level that differs most, and how much."""
        each = [self._over(relative(own, other)) for own, other in zip(found, expected, strict=True)]
        sizes = torch.stack(each).amax(0)
        level = int(sizes.argmax())
        return levels_of(self.model.n_layers)[level].label, float(sizes[level])

    def _over(self, errors: Float[Tensor, "*level token"]) -> Float[Tensor, "*level"]:
        """One size of many tokens; one that is no number stays so."""
        exact = self.model.dtype == "float32" and self.model.quantization not in COARSE
        return errors.amax(-1) if exact else errors.median(-1).values

    def _cached_states(self) -> Sized:
        """The last tokens of each text, each read in a forward of its own on a cache of those before."""
        from latentmech.model.kv_cache import new_cache

        batch, seen = self._quick(), dict[str, list[Tensor]]()
        names = [level.hook_name for level in levels_of(self.model.n_layers)]
        keeping = {name: partial(_kept, seen.setdefault(name, [])) for name in names}
        width = batch.ids.shape[1]
        new = max(1, int(batch.mask.sum(1).min()) // 2)
        with hooked_editing(self.model, keeping) as runner:
            runner.take(batch, batch.mask.sum(1))
            cache = new_cache(self.model, new)
            runner.forward(0, width - new, cache)
            for column in range(width - new, width):
                runner.forward(column, column + 1, cache)
        found = torch.stack([torch.cat(seen[name][1:], 1) for name in names], 1).float().cpu()
        expected = self._expected()[: len(found)]
        return self._worst(list(found), [state[:, -new:] for state in expected])

    # ---- what is said

    def _logits(self, side: str) -> Sized:
        with hooked_editing(self.model, {}) as runner:
            found = runner.logits(self._batch(side))[:, 0]
        return self._apart(found, torch.stack([logits[-1] for logits in self.truth.logits]))

    def _apart(self, found: Tensor, expected: Tensor) -> Sized:
        errors = relative(centred(found.float().cpu()), centred(expected))
        return "", float(self._over(errors))

    def _edited_logits(self) -> Sized:
        with hooked_editing(self.model, {self._post: self._add()}) as runner:
            found = runner.logits(self._batch("right"))[:, 0]
        return self._apart(found, torch.stack(self.truth.edited))

    def _nought(self) -> Sized:
        batch, both = self._batch("right"), []
        for edits in ({}, {self._post: self._add(0)}):
            with hooked_editing(self.model, edits) as runner:
                both.append(runner.logits(batch).float())
        return "", float((both[0] - both[1]).abs().max())

    def _generation(self, use_cache: bool) -> Sized:
        """How much likelier plain transformers holds its own token than the first one that differs from it."""
        batch, n_tokens = self._quick(len(self.truth.steps)), len(self.truth.steps[0])
        with hooked_editing(self.model, {}, road=replace(self.road, cache=use_cache)) as runner:
            found = runner.generate(batch, n_tokens, stop=()).ids.cpu()
        steps = self.truth.steps[: len(found)]
        regrets = [regret(ids, logits) for ids, logits in zip(found, steps, strict=True)]
        return "", float(self._over(torch.tensor(regrets)))

    def _lens(self) -> Sized:
        last = self._expected()[0][-1].to(self.model.torch_device, getattr(torch, self.model.dtype))
        return self._apart(read_out(self.model, last), self.truth.logits[0])

    # ---- what is edited

    def _next_block(self) -> Sized:
        """What the next block is given, against what it was given plus the vector."""
        layer, seen = self.truth.layer, list[Tensor]()
        if layer + 1 == self.model.n_layers:
            return "there is no next block", 0.0
        point = f"blocks.{layer + 1}.hook_resid_pre"
        batch = self._batch("right")

        def keep(resid: Tensor, hook: object) -> None:
            del hook
            seen.append(resid.clone())

        with self.model.bridge.hooks(fwd_hooks=[(point, keep)]):
            for edits in ({}, {self._post: self._add()}):
                with hooked_editing(self.model, edits) as runner:
                    runner.logits(batch)
        before, after = (resid[batch.mask.bool()].float().cpu() for resid in seen)
        moved = relative(after - before, self.truth.vector.expand_as(before))
        rounding = after.norm(dim=-1) / self.truth.vector.norm()  # of two long vectors, seen beside a short one
        return f"layer_{layer + 1:02d}", float(self._over(moved / rounding.clamp(min=1)))

    def _site(self, site: str) -> Sized:
        names = [level.hook_name for level in levels_of(self.model.n_layers, site)[1:]]
        heard(self.model, names, "read")
        if site != "resid_mid":  # which is none that can be edited
            heard(self.model, names, "edited")
        return "", 0.0

    def _writes(self) -> Sized:
        """What every block adds to the stream, against the sum of its two parts, both of them edited."""
        blocks, add = range(self.model.n_layers), self._add()
        heard(self.model, self._parts, "edited")
        kept: dict[str, list[Tensor]] = {EMBED_HOOK: []}
        kept |= {f"blocks.{i}.hook_{part}": [] for i in blocks for part in ("attn_out", "mlp_out", "resid_post")}

        def edit(name: str, resid: Tensor) -> Tensor:
            return _kept(kept[name], add(resid) if name.endswith(("attn_out", "mlp_out")) else resid)

        batch = self._batch("right")
        with hooked_editing(self.model, {name: partial(edit, name) for name in kept}) as runner:
            runner.logits(batch)
        at = {name: seen[0][batch.mask.bool()].float().cpu() for name, seen in kept.items()}
        before, sizes = at[EMBED_HOOK], []
        for i in blocks:
            attention, mlp, after = (at[f"blocks.{i}.hook_{part}"] for part in ("attn_out", "mlp_out", "resid_post"))
            sizes.append(float(self._over(relative(before + attention + mlp, after))))
            before = after
        worst = int(np.argmax(sizes))
        return f"layer_{worst:02d}", sizes[worst]

    def _ablation(self) -> Sized:
        """The part along a random direction that is left in the last states after every write was freed of it."""
        unit = self.truth.vector / self.truth.vector.norm()
        last, seen = f"blocks.{self.model.n_layers - 1}.hook_resid_post", list[Tensor]()

        def remove(resid: Tensor) -> Tensor:
            along = unit.to(resid)
            return resid - (resid @ along).unsqueeze(-1) * along

        heard(self.model, self._parts, "edited")
        batch = self._batch("right")
        edits: dict[str, Edit] = dict.fromkeys([EMBED_HOOK, *self._parts], remove)
        with hooked_editing(self.model, edits | {last: partial(_kept, seen)}) as runner:
            runner.logits(batch)
        states = seen[0][batch.mask.bool()].float().cpu()
        left = (states @ unit).abs() / states.norm(dim=-1).clamp(min=TINY)
        return "", float(self._over(left))


def read(model: Model, batch: Batch) -> list[Float[Tensor, "level _ d_model"]]:
    """The embedding and every block's output, of each text of a batch."""
    names, seen = [level.hook_name for level in levels_of(model.n_layers)], dict[str, Tensor]()
    heard(model, names, "read")
    with hooked_reading(model, {name: partial(_copied, seen, name) for name in names}) as run:
        run(batch)
    states = torch.stack([seen[name] for name in names])
    return [states[:, i, mask.bool()].float().cpu() for i, mask in enumerate(batch.mask)]


def _copied(seen: dict[str, Tensor], name: str, resid: Tensor) -> None:
    seen[name] = resid.clone()


def _kept(seen: list[Tensor], resid: Tensor) -> Tensor:
    """An edit that changes nothing, and keeps what it was given."""
    seen.append(resid.clone())
    return resid
