"""Moments of a long corpus beside those of a short one: peak memory, and time for each token.

    python scripts/bench/moments.py --json moments.json

Sentences of the bundled treebank are written to a JSONL file, again and again until it has the tokens asked for.
Every measurement is a process of its own: it boots the model, sums up a few texts to be warm, and then streams the file
through `ActivationStore.moments` at all levels, every token but the first of each text, files on disk and their fsync
included. Peak memory is that of the process (`ru_maxrss`); time is from the first text to the last file, in seconds of
the clock and of the processor, of which other work on the machine disturbs the second less. Short runs are repeated and
their median is taken.

Bars: memory within 3 %, time for each token within 5 %.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from omegaconf import OmegaConf

from latentmech.activations import ActivationStore, Streamed, name_of
from latentmech.data import Corpus, TextStream
from latentmech.model import Model, RegistryPackage, Tiny, levels_of

MODEL = Path(__file__).resolve().parents[2] / "conf" / "model" / "smollm2_135m_instruct.yaml"
MEMORY, TIME = 0.03, 0.05  # the bars


def model_called(name: str) -> Model:
    """The default model, or the tiny one."""
    if name == "tiny":
        return Model(name="tiny", source=Tiny())
    conf = OmegaConf.load(MODEL)
    own = {key: conf.source[key] for key in ("member", "sha256")}
    return Model(name=conf.name, source=RegistryPackage(packages=tuple(conf.source.packages), **own))


def written(path: Path, model: Model, tokens: int) -> Path:
    """A JSONL file with at least so many tokens; each text is another one, so that nothing is known already."""
    texts = Corpus()().texts
    sizes = [len(ids) - 1 for ids in model.tokenizer(list(texts))["input_ids"]]
    with path.open("w") as file:
        for i, (text, size) in enumerate(cycle(zip(texts, sizes, strict=True))):
            file.write(json.dumps({"id": f"text {i}", "text": text}) + "\n")
            tokens -= max(size, 0)
            if tokens <= 0:
                return path
    raise AssertionError("a cycle does not end")


def measured(name: str, path: Path, warm: Path) -> dict[str, Any]:
    """Time and memory of one run, in this process."""
    model = model_called(name)
    levels, sums = levels_of(model.n_layers), {}
    for some in (warm, path):
        with tempfile.TemporaryDirectory() as root:
            begin, used = time.perf_counter(), time.process_time()
            sums = ActivationStore(root=root).moments(model, Streamed(TextStream(some), model), levels, "token_each")
            seconds, used = time.perf_counter() - begin, time.process_time() - used
    n = int(sums[name_of(levels[0].hook_name)].whole.n)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"tokens": n, "seconds": seconds, "cpu_seconds": used, "peak_bytes": peak}


def in_a_process(name: str, path: Path, warm: Path) -> dict[str, Any]:
    """The same in a fresh one."""
    command = [sys.executable, __file__, "--model", name, "--child", str(path), str(warm)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(short: list[dict[str, Any]], long: dict[str, Any]) -> dict[str, float]:
    """The long run beside the median of the short ones, as ratios."""

    def each(run: dict[str, Any], what: str) -> float:
        return run[what] / run["tokens"]

    return {
        "peak memory": long["peak_bytes"] / median(run["peak_bytes"] for run in short),
        "time a token": each(long, "seconds") / median(each(run, "seconds") for run in short),
        "processor time a token": each(long, "cpu_seconds") / median(each(run, "cpu_seconds") for run in short),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("default", "tiny"), default="default")
    parser.add_argument("--short", type=int, default=10**4)
    parser.add_argument("--long", type=int, default=10**6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measured(asked.model, *asked.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = model_called(asked.model)
        sizes = {"warm": 2000, "short": asked.short, "long": asked.long}
        files = {name: written(Path(folder) / f"{name}.jsonl", model, n) for name, n in sizes.items()}
        short = [in_a_process(asked.model, files["short"], files["warm"]) for _ in range(asked.rounds)]
        long = in_a_process(asked.model, files["long"], files["warm"])
    ratios = compared(short, long)
    for name, bar in zip(ratios, (MEMORY, TIME, TIME), strict=True):
        print(f"{name}: {ratios[name]:.3f} of that of {asked.short:,} tokens (bar {1 + bar:.2f})")
    if asked.json:
        record = {"model": asked.model, "short": short, "long": long, "ratios": ratios}
        asked.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
