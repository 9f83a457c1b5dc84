"""Steering: generation with one vector added, and sweeps of its strength, against bare hooks and other tools.

    python scripts/bench/steer.py --rounds 7 --json steer.json
    OMP_NUM_THREADS=1 python scripts/bench/steer.py --rounds 1 --tokens 4     # only to see that everything runs

The default model answers bundled prompts greedily in float32 on the CPU, all prompts in one batch, padded on the left.
A random vector is added to the output of block 12 at every token. No token ends a text, so that everyone generates the
same number. Loading and warming up are not timed; setting the vector or hook is. Rounds are interleaved, and a ratio is
taken within its round: median, smallest, largest. `floor again` is the floor once more: what it strays from 1 is noise.
`of best` compares the fastest rounds and `cpu ratio` the processor seconds of all threads; other work on the machine
disturbs both less.

One strength, half the median norm of the residual stream there:

floor               transformers' `generate`, the block with a PyTorch hook that adds the vector
ours                `intervening` and its runner's `generate`
TransformerBridge   its own `generate` on the same batch with its mask, under `bridge.hooks`
repeng              `ControlModel.set_control` and `generate`; in an environment of its own
steering-vectors    `SteeringVector.apply` and transformers' `generate`; in an environment of its own
pyvene              `IntervenableModel.generate`; in an environment of its own

A sweep, nine strengths between minus and plus that norm (zero is one of them and is added like the others), for the
same prompts and for four times as many:

floor               as above, one strength after the other
ours in turn        as above, one strength after the other
packed              `packed_generate` of all strengths at once
packed by older build   the same of another commit (`--against`)
on vLLM             every prompt and strength a request of one queue, with `model.engine=vllm`
rows without edits  `generate` of as many rows at once, nothing edited, in transformers: what a batch alone would gain

`same tokens` is how many answers are the floor's, token by token.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from contest import (
    HERE,
    OLDER,
    ROOT,
    Cost,
    Peer,
    default_model,
    environment,
    interleaved,
    machine,
    older_build,
    present,
    relative,
    vllm_python,
)
from safetensors.torch import save_file
from torch import Tensor

from latentmech.data import Pairs
from latentmech.model import Batch, Edit, Model, dialogues, intervening, packed_generate, pad, tokenise
from latentmech.steering import Addition
from latentmech.storage import cache_root

PEERS = ("repeng", "steering-vectors", "pyvene")
SWEEPERS = ("packed by older build", "on vLLM")
WORKER = HERE / "steering_worker.py"
BLOCK = 12
HOOK = f"blocks.{BLOCK}.hook_resid_post"
STRENGTH = 0.5
STRENGTHS = np.linspace(-1, 1, 9).tolist()
SWEEP_TOKENS = 24
FLOOR_BAR, PACKED_BARS = 1.05, (5.0, 4.0)

Generate = Callable[[Batch, Tensor, int], Tensor]
"""Takes prompts, the vector to add and a number of tokens; gives the new tokens."""


class Work:
    """What every contender is given."""

    def __init__(self, model: Model):
        from transformers import AutoModelForCausalLM

        self.model = model
        folder = model.checkpoint.folder
        self.hf: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        self.hf.generation_config.eos_token_id = None

    def batch(self, n_prompts: int) -> Batch:
        """Harmless requests in the model's chat template, evenly spread over the bundled ones."""
        texts = Pairs(name="refusal")().negative.texts
        chosen = np.linspace(0, len(texts) - 1, n_prompts, dtype=int)
        spoken = [dialogue.text for dialogue in dialogues(self.model, [texts[i] for i in chosen])]
        tokens = tokenise(self.model, spoken, [str(i) for i in chosen])
        return pad(tokens.ids, int(self.model.tokenizer.pad_token_id), "left", torch.device("cpu"))

    @cached_property
    def vector(self) -> Tensor:
        """In a random direction, as long as the stream at the block is by the median over tokens but the first."""
        batch = self.batch(8)
        seen: list[Tensor] = []
        with hooked(self.hf, seen.append), torch.inference_mode():
            self.hf.base_model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)
        later = torch.arange(batch.ids.shape[1]) > batch.shift[:, None]
        drawn = torch.randn(self.model.d_model, generator=torch.Generator().manual_seed(0))
        return drawn / drawn.norm() * seen[0][later].norm(dim=1).median()

    def floor(self, batch: Batch, vector: Tensor, n_tokens: int) -> Tensor:
        """transformers and a bare hook."""
        with hooked(self.hf, lambda resid: resid + vector):
            ids = self.hf.generate(
                input_ids=batch.ids, attention_mask=batch.mask, do_sample=False, max_new_tokens=n_tokens
            )
        return ids[:, batch.ids.shape[1] :]

    def ours(self, batch: Batch, vector: Tensor, n_tokens: int) -> Tensor:
        """This package, one vector."""
        with intervening(self.model, edits(vector)) as runner:
            return runner.generate(batch, n_tokens, stop=()).ids

    def packed(self, batch: Batch, vectors: Sequence[Tensor], n_tokens: int) -> Tensor:
        """This package, all vectors at once."""
        found = packed_generate(self.model, [edits(vector) for vector in vectors], batch, n_tokens, stop=())
        return torch.cat([generated.ids for generated in found])

    def bridge(self, batch: Batch, vector: Tensor, n_tokens: int) -> Tensor:
        """TransformerLens by itself; beginning-of-text tokens and padding are the caller's."""
        bridge: Any = self.model.bridge
        with bridge.hooks(fwd_hooks=[(HOOK, lambda resid, hook: resid + vector)]):  # noqa: ARG005
            ids = bridge.generate(
                batch.ids,
                attention_mask=batch.mask,
                max_new_tokens=n_tokens,
                do_sample=False,
                stop_at_eos=False,
                prepend_bos=False,
                return_type="tokens",
                verbose=False,
            )
        return ids[:, batch.ids.shape[1] :]


def edits(vector: Tensor) -> dict[str, Edit]:
    """The vector, added at the block."""
    return {HOOK: Addition(vector)}


@contextlib.contextmanager
def hooked(hf: Any, edit: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """While it is open, what the block returns goes through `edit`."""
    handle = hf.base_model.layers[BLOCK].register_forward_hook(lambda _, __, output: edit(output))
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        run: does it and says what it took.
        ids: does it untimed and gives the new tokens `[answer, token]`.
    """

    name: str
    run: Callable[[], Cost]
    ids: Callable[[], Tensor]

    @classmethod
    def here(cls, name: str, work: Callable[[], Tensor]) -> "Contender":
        """One that runs in this process."""
        return cls(name, lambda: Cost.of(work), work)


@dataclass(frozen=True)
class Measured:
    """One comparison: a table with a row per contender, and the raw seconds behind it."""

    table: pd.DataFrame
    costs: Mapping[str, Sequence[Cost]]
    absent: Mapping[str, str]

    def times(self, name: str, base: str) -> float:
        """How long `name` takes, in times of `base`: the median over rounds."""
        return median(relative(self.costs[name], self.costs[base], "wall"))

    @property
    def raw(self) -> dict[str, object]:
        """For a JSON file."""
        costs = {name: [vars(cost) for cost in own] for name, own in self.costs.items()}
        return {"table": json.loads(self.table.to_json(orient="records")), "absent": dict(self.absent), "costs": costs}


def main() -> None:
    """Measure, print, write."""
    asked = arguments()
    work = Work(replace(default_model(), device="cpu"))
    facts: dict[str, object] = {}
    measured: dict[str, Measured] = {}
    sizes = () if asked.only == "one" else (asked.prompts, 4 * asked.prompts)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache_root()) as scratch:
        if asked.only != "sweeps":
            measured[f"one strength, {asked.prompts} prompts"] = steered(work, asked, Path(scratch), facts)
            show_latest(measured)
        for n_prompts in sizes:
            title = f"{len(STRENGTHS)} strengths, {n_prompts} prompts"
            measured[title] = swept(work, asked, Path(scratch), n_prompts)
            show_latest(measured)
    show(measured, described(work, asked) | facts, asked.json)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=32, help=f"new tokens; a sweep has at most {SWEEP_TOKENS}")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--against", default=OLDER, help="the commit of the older build")
    parser.add_argument("--only", choices=("one", "sweeps"), help="one strength, or nine of them")
    parser.add_argument("--alone", action="store_true", help="leave out what has an environment of its own")
    return parser.parse_args()


def steered(work: Work, asked: argparse.Namespace, scratch: Path, facts: dict[str, object]) -> Measured:
    """One strength, everyone; the peers' versions are added to `facts`."""
    batch, vector = work.batch(asked.prompts), STRENGTH * work.vector

    def here(name: str, generate: Generate) -> Contender:
        return Contender.here(name, lambda: generate(batch, vector, asked.tokens))

    field = [here("floor", work.floor), here("ours", work.ours), here("TransformerBridge", work.bridge)]
    save_file({"ids": batch.ids, "mask": batch.mask, "vector": vector}, scratch / "work.safetensors")

    def peer(name: str) -> Peer:
        out = scratch / f"{name}.safetensors"
        command = [environment(name), WORKER, name, work.model.checkpoint.folder, scratch / "work.safetensors", out]
        return Peer(name, [*command, *map(str, (BLOCK, asked.tokens, torch.get_num_threads()))], out)

    makers = {name: partial(peer, name) for name in (() if asked.alone else PEERS)}
    absent: dict[str, str] = {}
    with present(makers, absent) as peers:
        facts |= {f"in {one.name}'s environment": one.versions for one in peers}
        field += [Contender(one.name, one.run, partial(tokens_of, one)) for one in peers]
        return compared([*field, here("floor again", work.floor)], asked.rounds, absent)


def tokens_of(peer: Peer) -> Tensor:
    """Untimed: the new tokens `[answer, token]`."""
    return peer.found()["ids"]


def swept(work: Work, asked: argparse.Namespace, scratch: Path, n_prompts: int) -> Measured:
    """All strengths: in turn, and packed."""
    batch, n_tokens = work.batch(n_prompts), min(asked.tokens, SWEEP_TOKENS)
    vectors = [strength * work.vector for strength in STRENGTHS]

    def in_turn(name: str, generate: Generate) -> Contender:
        return Contender.here(name, lambda: torch.cat([generate(batch, vector, n_tokens) for vector in vectors]))

    def peer(name: str) -> Peer:
        own, on_vllm = scratch / f"{name} {n_prompts}".replace(" ", "-"), name == "on vLLM"
        given = {"ids": batch.ids, "mask": batch.mask, "shift": batch.shift, "vectors": torch.stack(vectors)}
        save_file(given, own.with_suffix(".given"))
        out = own.with_suffix(".safetensors")
        task = {"what": "packed", "name": work.model.name, "folder": str(work.model.checkpoint.folder), "hook": HOOK}
        task |= {"engine": "vllm" if on_vllm else "transformers", "dtype": "float32", "out": str(out)}
        task |= {"given": str(own.with_suffix(".given")), "tokens": n_tokens, "threads": torch.get_num_threads()}
        python, tree = (vllm_python(), ROOT) if on_vllm else (Path(sys.executable), older_build(asked.against))
        own.with_suffix(".json").write_text(json.dumps(task | {"tree": str(tree)}))
        return Peer(name, [python, HERE / "build_worker.py", own.with_suffix(".json")], out, tree)

    def rows() -> Tensor:
        size = len(vectors)
        every = {"input_ids": batch.ids.repeat(size, 1), "attention_mask": batch.mask.repeat(size, 1)}
        return work.hf.generate(**every, do_sample=False, max_new_tokens=n_tokens)[:, batch.ids.shape[1] :]

    field = [in_turn("floor", work.floor), Contender.here("packed", lambda: work.packed(batch, vectors, n_tokens))]
    if n_prompts == asked.prompts:  # with more prompts everything takes long
        field += [in_turn("ours in turn", work.ours), in_turn("floor again", work.floor)]
        field += [Contender.here("rows without edits", rows)]
    absent: dict[str, str] = {}
    with present({name: partial(peer, name) for name in (() if asked.alone else SWEEPERS)}, absent) as peers:
        field += [Contender(one.name, one.run, partial(tokens_of, one)) for one in peers]
        return compared(field, asked.rounds, absent)


def compared(field: Sequence[Contender], rounds: int, absent: Mapping[str, str]) -> Measured:
    """The warm-up, which also gives the tokens; then the rounds."""
    found = {contender.name: contender.ids() for contender in field}
    same = {name: agreement(ids, found["floor"]) for name, ids in found.items()}
    costs = interleaved(field, rounds)
    return Measured(tabled(costs, same, found["floor"].numel()), costs, absent)


def agreement(ids: Tensor, floor: Tensor) -> str:
    """How many answers are equal, of how many."""
    if ids.shape != floor.shape:
        return f"{list(ids.shape)}, not {list(floor.shape)}"
    return f"{int((ids == floor).all(1).sum())}/{len(floor)}"


def tabled(costs: Mapping[str, Sequence[Cost]], same: Mapping[str, str], n_tokens: int) -> pd.DataFrame:
    """One row per contender; ratios are to the floor of the same round."""
    rows = []
    for name, own in costs.items():
        ratios, cpu = (relative(own, costs["floor"], what) for what in ("wall", "cpu"))
        seconds = median(cost.wall for cost in own)
        row = {"contender": name, "ratio": median(ratios), "min": min(ratios), "max": max(ratios)}
        row |= {"of best": min(cost.wall for cost in own) / min(cost.wall for cost in costs["floor"])}
        row |= {"cpu ratio": median(cpu), "times as fast": median(1 / ratio for ratio in ratios)}
        rows.append(row | {"seconds": seconds, "tokens/s": n_tokens / seconds, "same tokens": same[name]})
    return pd.DataFrame(rows)


def described(work: Work, asked: argparse.Namespace) -> dict[str, object]:
    """What the numbers were taken on."""
    return machine() | {
        "model": work.model.name,
        "hook": HOOK,
        "tokens": asked.tokens,
        "tokens in a sweep": min(asked.tokens, SWEEP_TOKENS),
        "prompt lengths": work.batch(asked.prompts).mask.sum(1).tolist(),
        "rounds": asked.rounds,
    }


def show_latest(measured: Mapping[str, Measured]) -> None:
    """Print a table as soon as it is there: a later comparison may be interrupted."""
    title, one = list(measured.items())[-1]
    for name, said in one.absent.items():
        print(f"{name} is not there: {said}")
    print(f"{title}\n{one.table.to_string(index=False, formatters=formatters())}\n", flush=True)


def show(measured: Mapping[str, Measured], facts: dict[str, object], path: Path | None) -> None:
    """Print what it was taken on and the bars, and write all with the raw seconds."""
    bars = judged(list(measured.values()))
    print("\n".join(f"{key}: {value}" for key, value in facts.items()))
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    if path:
        comparisons = {title: one.raw for title, one in measured.items()}
        path.write_text(json.dumps({"facts": facts, "comparisons": comparisons, "bars": bars}, indent=2) + "\n")


def judged(measured: Sequence[Measured]) -> dict[str, bool]:
    """The bars of the project with what was measured, and whether they are met."""
    bars = dict[str, bool]()
    for one in (one for one in measured if "TransformerBridge" in one.costs):
        floor, bridge = one.times("ours", "floor"), one.times("ours", "TransformerBridge")
        bars[f"ours at most {FLOOR_BAR:.2f} x floor: {floor:.3f}"] = floor <= FLOOR_BAR
        bars[f"ours faster than TransformerBridge: {bridge:.3f} of its time"] = bridge < 1
    for sweep, bar in zip((one for one in measured if "packed" in one.costs), PACKED_BARS, strict=False):
        times = {name: 1 / sweep.times(name, "floor") for name in ("packed", "on vLLM") if name in sweep.costs}
        name = max(times, key=lambda name: times[name])
        bars[f"{name} at least {bar:.0f} x as fast as floor: {times[name]:.2f}"] = times[name] >= bar
    return bars


def formatters() -> dict[str, Callable[[float], str]]:
    """How each column reads."""
    two = dict.fromkeys(("times as fast", "seconds"), "{:.2f}".format)
    three = dict.fromkeys(("ratio", "min", "max", "of best", "cpu ratio"), "{:.3f}".format)
    return two | three | {"tokens/s": "{:.0f}".format}


if __name__ == "__main__":
    main()
