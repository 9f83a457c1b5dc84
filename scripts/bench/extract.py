"""Extraction: our store, disk and checksums included, against the bare forward and against other tools.

    python scripts/bench/extract.py --data UD_ENGLISH_EWT --texts 800 --rounds 5 --json extract.json

`--data` is the folder with UD English-EWT's three CoNLL-U files (universaldependencies.org); any treebank will do.

Every contender reads the embedding and every block's `resid_post` of the default model at the last sub-word of
every word, in the same sentences. Loading and warming up are not timed. Rounds are interleaved, and a ratio is taken
within its round: median, smallest, largest. `floor again` is the floor once more: what it strays from 1 is noise.
`of best` compares the fastest rounds and `cpu ratio` the processor seconds of all threads; other work on the machine
disturbs both less.

floor           the transformers backbone: no head, nothing kept, length-sorted batches filled up to 1,024 tokens
ours            `ActivationStore.get` into an empty folder: tokenising, alignment, forward, files with fsync, checksums
run_with_cache  TransformerBridge's own, filtered to the same hook points, on the floor's batches with their mask
run_with_cache, batches of 32   the same as a user would write it: texts in the order of the corpus
nnsight         one trace for each of the floor's batches, stopped before the head; in an environment of its own

`difference to ours` is the largest relative difference of any row at any level (for the floor, seen by PyTorch hooks
in an untimed pass): proof that the work is the same.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import Tensor

from latentmech.activations import Activations, ActivationStore, Request
from latentmech.data import Corpus, Examples
from latentmech.model import Model, RegistryPackage, length_sorted, levels_of, tokenise, word_rows
from latentmech.storage import cache_root

HERE = Path(__file__).resolve().parent
MODEL = HERE.parents[1] / "conf" / "model" / "smollm2_135m_instruct.yaml"
NNSIGHT = ("nnsight==0.8.1", "torch==2.13.0")  # transformers as they want it: 5.23.0 when this was written
BUDGET = 1024
BAR = 1.10


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
        """Batches of similar length, each filled up to the token budget, as one would write it by hand."""
        lengths, batches = self.request.tokens.lengths, [[]]
        for text in length_sorted(lengths):
            if batches[-1] and (len(batches[-1]) + 1) * lengths[batches[-1][0]] > BUDGET:
                batches.append([])
            batches[-1].append(text)
        return [self._piece(texts) for texts in batches]

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
class Cost:
    """Seconds by the clock, and of the processor."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> "Cost":
        """What it takes to do `work` here."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - wall, time.process_time() - cpu)


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
    padded: int


def main() -> None:
    """Measure, print, write."""
    asked = arguments()
    work = Work(default_model(), sampled(Corpus(path=asked.data)(), asked.texts))
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache_root()) as scratch:
        store = Store(work, Path(scratch) / "store")
        with contenders(work, store, asked, Path(scratch)) as field:
            agreement = {c.name: agrees(c, store.activations) for c in field}  # warms up, too
            costs = interleaved(field, asked.rounds)
        table = tabled(work, field, costs, agreement)
        show(table, described(work, store, asked.rounds), costs, asked.json)


def interleaved(field: Sequence["Contender"], rounds: int) -> dict[str, list["Cost"]]:
    """Everyone in turn, each round beginning with another."""
    costs: dict[str, list[Cost]] = {c.name: [] for c in field}
    for number in range(rounds):
        for place in range(len(field)):
            contender = field[(number + place) % len(field)]
            costs[contender.name].append(contender.run())
        ratios = {name: own[-1].wall / costs["floor"][-1].wall for name, own in costs.items()}
        line = "  ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        print(f"round {number + 1} of {rounds}: {line}", file=sys.stderr)
    return costs


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the UD English-EWT folder with its three CoNLL-U files")
    parser.add_argument("--texts", type=int, default=800, help="how many sentences, evenly spread over the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, help="where nnsight's environment is, or is made (1.2 GB)")
    parser.add_argument("--without-nnsight", action="store_true", help="leave it out")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    return parser.parse_args()


def default_model() -> Model:
    """The default model, as conf/ names it."""
    settings = OmegaConf.load(MODEL)
    source = {key: value for key, value in settings.source.items() if key != "_target_"}
    return Model(name=settings.name, source=RegistryPackage(**source | {"packages": tuple(source["packages"])}))


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
def contenders(work: Work, store: Store, asked: argparse.Namespace, scratch: Path) -> Iterator[list[Contender]]:
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
    if asked.without_nnsight:
        yield field
        return
    with Nnsight(work, pieces, asked.peers or cache_root() / "bench", scratch) as nnsight:
        yield [*field, Contender("nnsight", nnsight.run, nnsight.kept, padded(pieces))]


def padded(pieces: Sequence[Piece]) -> int:
    """Tokens in all batches, padding included."""
    return sum(piece.ids.numel() for piece in pieces)


class Floor:
    """transformers alone, as it loads the folder by default."""

    def __init__(self, work: Work):
        from transformers import AutoModelForCausalLM

        folder = work.model.checkpoint.folder
        self.work = work
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
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


class Nnsight:
    """A process in nnsight's own environment that runs when it is told to."""

    def __init__(self, work: Work, pieces: Sequence[Piece], peers: Path, scratch: Path):
        self.work, self.batches, self.out = work, scratch / "batches.safetensors", scratch / "nnsight.safetensors"
        save_file({f"{i:05d}.{k}": v for i, p in enumerate(pieces) for k, v in vars(p).items()}, self.batches)
        self.python = environment(peers / NNSIGHT[0].replace("==", "-"))

    def __enter__(self) -> "Nnsight":
        command = [self.python, HERE / "nnsight_worker.py", self.work.model.checkpoint.folder, self.batches, self.out]
        offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=offline
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate("stop\n")

    def run(self) -> Cost:
        """One pass over all batches; the worker takes the time."""
        return Cost(*map(float, self._ask("run").split()))

    def kept(self) -> Tensor:
        """Untimed: a pass that also writes what it kept."""
        self._ask("save")
        return load_file(self.out)["kept"]

    def _ask(self, what: str) -> str:
        self.process.stdin.write(what + "\n")
        return self._answer()

    def _answer(self) -> str:
        for line in self.process.stdout:
            if line.startswith("answer "):
                return line.removeprefix("answer ")
        raise SystemExit("nnsight's process has died; see above, or run with --without-nnsight")


def environment(folder: Path) -> Path:
    """The Python of nnsight's environment, made on first use."""
    python, done = folder / "bin" / "python", folder / ".complete"
    if not done.exists():
        print(f"making {folder}, once", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *NNSIGHT], check=True)
        done.touch()
    return python


def empty(work: Work) -> Tensor:
    """Room for all rows of all levels."""
    return torch.empty(len(work.request.hook_names), len(work.request.rows), work.model.d_model)


def agrees(contender: Contender, ours: Activations) -> float:
    """The largest relative difference of any row to ours; also the contender's warm-up."""
    if contender.kept is None:
        contender.run()
        return 0.0 if contender.name == "ours" else float("nan")
    worst = 0.0
    for name, theirs in zip(ours.hook_names, contender.kept(), strict=True):
        rows = ours.level(name)
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
        row |= {"padded/real": contender.padded / real, "difference to ours": agreement[contender.name]}
        rows.append(row)
    return pd.DataFrame(rows)


def relative(own: Sequence[Cost], base: Sequence[Cost], what: str) -> list[float]:
    """Ratio to the floor in each round."""
    return [getattr(a, what) / getattr(b, what) for a, b in zip(own, base, strict=True)]


def described(work: Work, store: Store, rounds: int) -> dict[str, object]:
    """What the numbers were taken on."""
    return {
        "texts": len(work.examples),
        "words": len(work.request.rows),
        "tokens": int(work.request.tokens.lengths.sum()),
        "levels": len(work.request.hook_names),
        "rounds": rounds,
        "bytes written by ours": store.n_bytes,
        "shards": len(store.activations.shards),
        "threads": torch.get_num_threads(),
        "load now": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "nnsight": " ".join(NNSIGHT),
    }


def show(table: pd.DataFrame, facts: dict[str, object], costs: dict[str, list[Cost]], path: Path | None) -> None:
    """Print the table and the bars, and write both with the raw seconds."""
    bars = judged(table.set_index("contender")["ratio"])
    print("  ".join(f"{key} {value}" for key, value in facts.items()))
    print(table.to_string(index=False, formatters=formatters()))
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    if path:
        rows = json.loads(table.to_json(orient="records"))
        raw = {name: [vars(cost) for cost in own] for name, own in costs.items()}
        path.write_text(json.dumps({"facts": facts, "table": rows, "bars": bars, "costs": raw}, indent=2) + "\n")


def judged(ratio: pd.Series) -> dict[str, bool]:
    """The bars of the project, and whether they are met."""
    others = ratio.drop(["floor", "floor again", "ours"])
    bars = {f"ours at most {BAR:.2f} x floor": bool(ratio["ours"] <= BAR)}
    return bars | {f"ours faster than {name}": bool(ratio["ours"] < value) for name, value in others.items()}


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
