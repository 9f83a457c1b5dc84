"""Another engine than transformers against plain transformers, check by check.

What a queue of requests can do wrong is looked at beside what a model can: texts that run together, a long one in
several steps, edits that reach other tokens, other steps or other requests than they are meant for.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import first_line
from latentmech.model.batching import Batch, out_of_memory, pad
from latentmech.model.edits import Ablation, Addition
from latentmech.model.handle import Model
from latentmech.model.levels import EMBED_HOOK, levels_of
from latentmech.model.parity.check import ABLATION, LENS, TINY, TOLERANCES, Check, Sized, centred, regret, relative
from latentmech.model.parity.truth import Truth
from latentmech.model.scope import Edit, Scope
from latentmech.model.vllm import VllmEngine
from latentmech.model.vllm.vllm_engine import VllmRequest, spans_of

PIECE = 2  # tokens of a text in one step, where it runs in several


def engine_checks(model: Model, truth: Truth) -> tuple[Check, ...]:
    """Every check, in the order in which they are read."""
    return tuple(_Engine(model, truth).checks())


@dataclass
class _Engine:
    model: Model
    truth: Truth
    done: list[Check] = field(default_factory=list)

    def checks(self) -> list[Check]:
        """All of them."""
        together, pieces = partial(self._read, self.truth.ids), partial(self._read, self.truth.ids, pieces=PIECE)
        self._say("a state knows nothing of what follows", lambda: ("", self.truth.earlier))
        self._say("states, one text", lambda: self._worst([self._read([row])[0] for row in self.truth.ids]))
        self._say("states, texts side by side", lambda: self._worst(together()))
        self._say("states, a text in several steps", lambda: self._worst(pieces()))
        self._say("logits", partial(self._logits, {}, self._last_logits))
        self._say("an edit reaches the next block once", self._next_block)
        self._say("logits under an edit", partial(self._logits, self._add(), torch.stack(self.truth.edited)))
        self._say("an edit and its neighbours", self._neighbours)
        self._say("strength 0 changes no bit", self._nought, tolerance=0.0)
        self._say("a scope without the text changes no bit", self._out_of_scope, tolerance=0.0)
        self._say("a scope begins where it says", self._from_first)
        self._say("generation", self._generation)
        self._say("generation under an edit, read again", self._again)
        self._say("the head on the last states", self._lens, LENS)
        self._say("ablation leaves nothing behind", self._ablation, ABLATION)
        return self.done

    def _say(self, name: str, measure: Callable[[], Sized], need: str = "", tolerance: float | None = None) -> None:
        """Measure; what raises has no size, and what there is no memory for says nothing about a model."""
        try:
            level, size = measure()
        except Exception as error:
            if out_of_memory(error):
                raise
            level, size = first_line(error), float("nan")
        allowed = TOLERANCES[self.model.dtype] if tolerance is None else tolerance
        self.done.append(Check(name=name, level=level, size=size, tolerance=allowed, need=need))

    @property
    def _engine(self) -> VllmEngine:
        return VllmEngine(self.model)

    @property
    def _batch(self) -> Batch:
        return pad(self.truth.ids, 0, "right", self.model.torch_device)

    @property
    def _last_logits(self) -> Float[Tensor, "text vocab"]:
        return torch.stack([logits[-1] for logits in self.truth.logits])

    def _add(self, times: float | int = 1) -> dict[str, Edit]:
        return {f"blocks.{self.truth.layer}.hook_resid_post": Addition(self.truth.vector * times)}

    def _over(self, errors: Float[Tensor, "*level token"]) -> Float[Tensor, "*level"]:
        return errors.amax(-1) if self.model.dtype == "float32" else errors.median(-1).values

    # ---- what is read

    def _read(
        self, ids: Sequence[Any], edits: dict[str, Edit] | None = None, scope: Scope | None = None, pieces: int = 0
    ) -> list[Float[Tensor, "level _ d_model"]]:
        """States of every token of each text at every level."""
        ends, asked = np.cumsum([0, *map(len, ids)]), []
        for begin, row in zip(ends[:-1].tolist(), ids, strict=True):
            plan: dict[str, Any] = {"rows": [[i, i, begin + i, 0] for i in range(len(row))]}
            if edits:
                plan |= {"variant": 0, "edited": spans_of(scope or Scope(), len(row))}
            asked.append(VllmRequest(row.tolist(), plan))
        levels = range(self.model.n_layers + 1)
        with in_pieces(self._engine, pieces):
            found = self._engine.run(asked, levels=levels, variants=[edits or {}])
        rows = torch.stack([found.rows[level].float().cpu() for level in levels])
        return list(rows.split(np.diff(ends).tolist(), 1))

    def _worst(self, found: Sequence[Tensor]) -> Sized:
        """The level that differs most, and how much."""
        pairs = zip(found, self.truth.states, strict=True)
        sizes = torch.stack([self._over(relative(own, other)) for own, other in pairs]).amax(0)
        level = int(sizes.argmax())
        return levels_of(self.model.n_layers)[level].label, float(sizes[level])

    # ---- what is said

    def _apart(self, found: Tensor, expected: Tensor) -> Sized:
        return "", float(self._over(relative(centred(found.float().cpu()), centred(expected))))

    def _logits(self, edits: dict[str, Edit], expected: Tensor) -> Sized:
        return self._apart(self._engine.logits([edits], self._batch)[0, :, 0], expected)

    def _neighbours(self) -> Sized:
        """Edited and untouched texts in one queue."""
        clean, edited = self._engine.logits([{}, self._add()], self._batch)[:, :, 0]
        return "", max(self._apart(clean, self._last_logits)[1], self._apart(edited, torch.stack(self.truth.edited))[1])

    def _nought(self) -> Sized:
        clean, edited = self._engine.logits([{}, self._add(0)], self._batch).float()
        return "", float((clean - edited).abs().max())

    def _out_of_scope(self) -> Sized:
        clean, edited = self._engine.logits([{}, self._add()], self._batch, scope=Scope(prompt=False)).float()
        return "", float((clean - edited).abs().max())

    def _generation(self) -> Sized:
        """How much likelier plain transformers holds its own token than the first one that differs from it."""
        steps = self.truth.steps
        (found,) = self._engine.generate([{}], self._few(len(steps)), len(steps[0]), stop=())
        sizes = [regret(ids, logits) for ids, logits in zip(found.ids.cpu(), steps, strict=True)]
        return "", float(self._over(torch.tensor(sizes)))

    def _again(self) -> Sized:
        """What was generated step by step under an edit of new tokens, against the same text run whole."""
        n, few, scope = len(self.truth.steps[0]), self._few(len(self.truth.steps)), Scope(prompt=False)
        (found,) = self._engine.generate([self._add()], few, n, stop=(), scope=scope)
        ids, mask = torch.cat([few.ids, found.ids], 1), torch.cat([few.mask, torch.ones_like(found.ids)], 1)
        whole, prompts = Batch(ids, mask, few.shift), few.mask.sum(1)
        logits = self._engine.logits([self._add()], whole, n + 1, n_prompt=prompts, scope=scope)[0, :, :-1]
        sizes = [regret(own, steps) for own, steps in zip(found.ids.cpu(), logits.cpu().float(), strict=True)]
        return "", float(self._over(torch.tensor(sizes)))

    def _few(self, n: int) -> Batch:
        return pad(self.truth.ids[:n], 0, "left", self.model.torch_device)

    def _lens(self) -> Sized:
        return self._apart(self._engine.head(self.truth.states[0][-1]), self.truth.logits[0])

    # ---- what is edited

    def _moved(self, scope: Scope) -> tuple[list[Tensor], list[Tensor]]:
        """How states were changed by the edit: those below it, and those right behind it."""
        clean, edited = self._read(self.truth.ids), self._read(self.truth.ids, self._add(), scope)
        changes = [after - before for before, after in zip(clean, edited, strict=True)]
        at = self.truth.layer + 1
        return [change[:at] for change in changes], [change[at] for change in changes]

    def _next_block(self) -> Sized:
        below, behind = self._moved(Scope())
        moved, vector = torch.cat(behind), self.truth.vector
        rounding = torch.cat([state[self.truth.layer + 1] for state in self.truth.states]).norm(dim=-1) / vector.norm()
        size = float(self._over(relative(moved, vector.expand_as(moved)) / rounding.clamp(min=1)))
        return f"layer_{self.truth.layer:02d}", max(size, max(float(change.abs().max()) for change in below))

    def _from_first(self) -> Sized:
        """Left alone before, moved from there on."""
        _, behind = self._moved(Scope(first=1))
        size = self.truth.vector.norm()
        alone = max(float(change[0].norm() / size) for change in behind)
        moved = max(float((change[1:].norm(dim=-1) / size - 1).abs().median()) for change in behind if len(change) > 1)
        return "", max(alone, moved)

    def _ablation(self) -> Sized:
        """The part along a random direction that is left in the last states after every write was freed of it."""
        unit = self.truth.vector / self.truth.vector.norm()
        names = [f"blocks.{i}.hook_{part}" for i in range(self.model.n_layers) for part in ("attn_out", "mlp_out")]
        states = torch.cat(self._read(self.truth.ids, dict.fromkeys([EMBED_HOOK, *names], Ablation(unit))), 1)[-1]
        left = (states @ unit).abs() / states.norm(dim=-1).clamp(min=TINY)
        return "", float(self._over(left))


@contextmanager
def in_pieces(engine: VllmEngine, size: int) -> Iterator[None]:
    """While it is open, a step takes at most so many tokens of one text; 0 leaves that to vLLM.

    Where the scheduler lives in another process this changes nothing, and texts run as they do in any run.
    """
    config = engine.llm.llm_engine.vllm_config.scheduler_config
    before = config.long_prefill_token_threshold
    config.long_prefill_token_threshold = size or before
    try:
        yield
    finally:
        config.long_prefill_token_threshold = before
