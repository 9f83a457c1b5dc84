"""Another engine than transformers against plain transformers, check by check.

What a queue of requests can do wrong is looked at beside what a model can: texts that run together, a long one in
several steps, edits that reach other tokens, other steps or other requests than they are meant for.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.model.batching import Batch, pad
from latentmech.model.edits import Ablation, Addition, Rotation
from latentmech.model.handle import Model
from latentmech.model.levels import EMBED_HOOK, levels_of
from latentmech.model.parity.check import (
    ABLATION,
    LENS,
    TINY,
    TOLERANCES,
    Check,
    Sized,
    centred,
    measured,
    regret,
    relative,
)
from latentmech.model.parity.truth import Truth
from latentmech.model.scope import Edit, Scope
from latentmech.model.vllm import VllmEngine
from latentmech.model.vllm.vllm_engine import POOLED, VllmRequest, spans_of

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
        self._say("means, a text that is run again", self._means)
        self._say("logits", partial(self._logits, {}, self._last_logits))
        self._say("an edit reaches the next block once", self._next_block)
        self._say("logits under an edit", partial(self._logits, self._add(), torch.stack(self.truth.edited)))
        self._say("an edit that turns", self._turned)
        self._say("an edit and its neighbours", self._neighbours)
        self._say("strength 0 changes no bit", self._nought, tolerance=0.0)
        self._say("a scope without the text changes no bit", self._out_of_scope, tolerance=0.0)
        self._say("a scope reaches what it says", self._scoped)
        self._say("generation", self._generation)
        self._say("generation under an edit, read again", self._again)
        self._say("the head on the last states", self._lens, LENS)
        self._say("ablation leaves nothing behind", self._ablation, ABLATION)
        return self.done

    def _say(self, name: str, measure: Callable[[], Sized], need: str = "", tolerance: float | None = None) -> None:
        rounding = TOLERANCES[self.model.dtype]
        self.done.append(measured(name, measure, rounding if tolerance is None else tolerance, need))

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
        self, ids: Sequence[Any], edits: dict[str, Edit] | None = None, spans: Sequence[Any] = (), pieces: int = 0
    ) -> list[Float[Tensor, "level _ d_model"]]:
        """States of every token of each text at every level."""
        ends, asked = np.cumsum([0, *map(len, ids)]), []
        for i, (begin, row) in enumerate(zip(ends[:-1].tolist(), ids, strict=True)):
            plan: dict[str, Any] = {"rows": [[i, i, begin + i, 0] for i in range(len(row))]}
            if edits:
                plan |= {"variant": 0, "edited": spans[i] if spans else spans_of(Scope(), len(row))}
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

    def _means(self) -> Sized:
        """Over whole texts that run in pieces and are put back, so that their first tokens run twice."""
        asked = [
            VllmRequest(row.tolist(), {"rows": [[0, len(row) - 1, i, POOLED.index("mean")]]})
            for i, row in enumerate(self.truth.ids)
        ]
        with in_pieces(self._engine, PIECE), put_back(self._engine):
            found = self._engine.run(asked, levels=[self.model.n_layers])
        expected = torch.stack([states[-1].mean(0) for states in self.truth.states])
        return "", float(self._over(relative(found.rows[self.model.n_layers].cpu(), expected)))

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
        """What was said step by step under an edit of new tokens, against the same text run whole."""
        n, scope, size = len(self.truth.steps[0]), Scope(prompt=False), len(self.truth.steps)
        asked = []
        for i, row in enumerate(self.truth.ids[:size]):
            heads = [(len(row) - 1 + step, i * n + step) for step in range(n)]
            plan = {"heads": heads, "variant": 0, "edited": spans_of(scope, len(row))}
            asked.append(VllmRequest(row.tolist(), plan, n))
        found = self._engine.run(asked, variants=[self._add()], heads=size * n)
        assert found.logits is not None
        texts = [np.append(row, new) for row, new in zip(self.truth.ids, found.tokens, strict=False)]
        prompts = torch.tensor([len(row) for row in self.truth.ids[:size]])
        whole = pad(texts, 0, "right", self.model.torch_device)
        again = self._engine.logits([self._add()], whole, n + 1, n_prompt=prompts, scope=scope)[0, :, :-1]
        return self._apart(found.logits, again.flatten(0, 1).cpu().float())

    def _few(self, n: int) -> Batch:
        return pad(self.truth.ids[:n], 0, "left", self.model.torch_device)

    def _lens(self) -> Sized:
        return self._apart(self._engine.head(self.truth.states[0][-1]), self.truth.logits[0])

    # ---- what is edited

    def _moved(self, scope: Scope, prompts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """How states were changed by the edit: those below it, and those right behind it less what they were to be."""
        spans = [spans_of(scope, n) for n in prompts]
        clean, edited = (torch.cat(self._read(self.truth.ids, *how), 1) for how in ((), (self._add(), spans)))
        changes, at, vector = edited - clean, self.truth.layer + 1, self.truth.vector
        batch = self._batch
        inside = scope.of(batch, torch.tensor(prompts).to(batch.ids))[batch.mask.bool()].cpu()
        rounding = clean[at].norm(dim=-1) / vector.norm()
        wrong = (changes[at] - inside[:, None] * vector).norm(dim=-1) / vector.norm()
        return changes[:at], wrong / rounding.clamp(min=1)

    def _next_block(self) -> Sized:
        below, wrong = self._moved(Scope(), list(map(len, self.truth.ids)))
        return f"layer_{self.truth.layer:02d}", max(float(self._over(wrong)), float(below.abs().max()))

    def _turned(self) -> Sized:
        """What a rotation, which looks at the whole stream, makes of it, against what it is to make of it."""
        layer, turn = self.truth.layer, Rotation(self.truth.vector)
        found = torch.cat(self._read(self.truth.ids, {f"blocks.{layer}.hook_resid_post": turn}), 1)[layer + 1]
        clean = torch.cat(self.truth.states, 1)[layer + 1]
        return f"layer_{layer:02d}", float(self._over(relative(found, turn(clean[None])[0])))

    def _scoped(self) -> Sized:
        """From a position on, in a prompt, and behind it."""
        halves = [len(row) // 2 for row in self.truth.ids]
        scopes = (Scope(first=1), Scope(generated=False), Scope(prompt=False))
        return "", max(float(self._moved(scope, halves)[1].max()) for scope in scopes)

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

    A server has its scheduler elsewhere: there this changes nothing, and texts run as they do in any run.
    """
    if engine.server:
        yield
        return
    config = engine.llm.llm_engine.vllm_config.scheduler_config
    before = config.long_prefill_token_threshold
    config.long_prefill_token_threshold = size or before
    try:
        yield
    finally:
        config.long_prefill_token_threshold = before


@contextmanager
def put_back(engine: VllmEngine) -> Iterator[None]:
    """While it is open, all that runs is put back into the queue after its second step, as where memory is short.

    Of a server that cannot be asked.
    """
    if engine.server:
        yield
        return
    queue, steps = engine.llm.llm_engine, count(1)
    step = queue.step

    def stepped() -> Any:
        found = step()
        if next(steps) == 2:
            queue.reset_prefix_cache(reset_running_requests=True)
        return found

    queue.step = stepped
    try:
        yield
    finally:
        queue.step = step
