"""Probes: all levels of our multinomial logistic regression against scikit-learn's, at one strength.

    python scripts/bench/probe.py --data UD_ENGLISH_EWT --rounds 3 --json probe.json

`--data` is the folder with UD English-EWT's three CoNLL-U files (universaldependencies.org). Parts of speech of about
25,000 training words, scored on about 24,000 development words, whole documents of each; the default model's
activations come from the usual store, which the first call fills.

ours          standardising train and dev, moments, eigendecomposition and `logistic`, as many levels side by side as a
              probe study would take
scikit-learn  `StandardScaler` and `LogisticRegression(C, lbfgs, default tolerance, max_iter=1000)`, level by level

Both minimise the same penalised loss (strength = 1 / (C * rows)) on the same float32 rows. The rows are in memory
before the clock starts. Each contender has a process of its own, so that peak memory is its own; they take turns
block by block, and a ratio is taken within its round.
"""

import argparse
import json
import resource
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from contest import default_model, machine
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Examples, flat, limited, task
from latentmech.model import Level, levels_of
from latentmech.probe import Problem, Solution, problem_of
from latentmech.probe.logistic import logistic
from latentmech.probe.sample import Sample, fast_dtype, side_by_side
from latentmech.probe.solution import Targets

TRAIN_WORDS, DEV_WORDS = 25_000, 24_000
BLOCK_GIB = 1.0  # ProbeStudy's default
SPEED_BAR, ACCURACY_BAR = 8, 0.002


@dataclass(frozen=True)
class Work:
    """What every contender is given."""

    activations: Activations
    problem: Problem
    C: float

    @property
    def strength(self) -> float:
        """The same penalty per row."""
        return 1 / (self.C * len(self.problem.index["train"]))

    def labels(self, split: str) -> np.ndarray:
        """Class numbers of one split."""
        return self.problem.of(split, self.problem.labels)


@dataclass(frozen=True)
class Fitted:
    """What became of one block of levels; arrays have one entry per level.

    Attributes:
        seconds: for the block.
        accuracy: on dev.
        objective: penalised loss on the training rows, nats per row.
        steps: evaluations of loss and gradient, in passes over all rows (ours), or iterations (scikit-learn).
    """

    seconds: float
    accuracy: list[float]
    objective: list[float]
    steps: list[float]


def main() -> None:
    """Measure, print, write."""
    asked = arguments()
    work, levels = prepared(asked)
    blocks = in_blocks(work, levels)
    results: dict[str, list[list[Fitted]]] = {"ours": [], "scikit-learn": []}
    with alone() as ours, alone() as theirs:
        turns = [("ours", ours, fit_ours), ("scikit-learn", theirs, fit_sklearn)]
        for number in range(asked.rounds):
            for fitted in results.values():
                fitted.append([])
            for block in blocks:
                for name, process, fit in turns if number % 2 == 0 else turns[::-1]:
                    results[name][-1].append(process.submit(fit, work, block).result())
                print(f"round {number + 1}: {block[-1].label} done", file=sys.stderr)
        memory = {name: process.submit(peak_mib).result() for name, process, _ in turns}
    show(work, levels, results, memory, asked.json)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the UD English-EWT folder with its three CoNLL-U files")
    parser.add_argument("--levels", type=int, help="only so many levels, evenly spread")
    parser.add_argument("--words", type=int, default=TRAIN_WORDS, help="training words; a few less of dev")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--C", type=float, default=0.01, help="scikit-learn's C")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    return parser.parse_args()


def prepared(asked: argparse.Namespace) -> tuple[Work, Sequence[Level]]:
    """Rows on disk, labels in memory, the levels to fit."""
    model, examples = default_model(), shortened(Corpus(path=asked.data)(), asked.words)
    levels = levels_of(model.n_layers)
    activations = ActivationStore().get(model, examples, levels)
    problem = problem_of(flat(examples, task("pos"), "drop"), examples, seed=0)
    chosen = np.linspace(0, len(levels) - 1, min(asked.levels or len(levels), len(levels)), dtype=int)
    return Work(activations, problem, asked.C), [levels[i] for i in chosen]


def shortened(examples: Examples, words: int) -> Examples:
    """About `words` training and slightly fewer development words, in whole documents."""
    parts = {split: examples.where(lambda i, s=split: examples.splits[i] == s) for split in ("train", "dev")}
    sizes = {"train": words, "dev": words * DEV_WORDS // TRAIN_WORDS}
    kept = {name for split, part in parts.items() for name in limited(part, sizes[split], seed=0).ids}
    return examples.where(lambda i: examples.ids[i] in kept)


def in_blocks(work: Work, levels: Sequence[Level]) -> list[Sequence[Level]]:
    """As many levels at a time as a probe study would solve together."""
    rows = sum(len(work.problem.index[split]) for split in ("train", "dev"))
    size = max(1, int(BLOCK_GIB * 2**30 / (rows * work.activations.d_model * 4)))
    return [levels[begin : begin + size] for begin in range(0, len(levels), size)]


def alone() -> ProcessPoolExecutor:
    """One fresh process, which does its first work unmeasured."""
    process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    process.submit(warm_up).result()
    return process


def warm_up() -> None:
    """Start the threads of both linear algebras."""
    import sklearn.linear_model  # noqa: F401

    a = torch.randn(600, 600)
    torch.linalg.eigh(a.double() @ a.double().T)
    a.numpy() @ a.numpy()


def fit_ours(work: Work, levels: Sequence[Level]) -> Fitted:
    """All levels of the block at once."""
    rows = [work.activations.level(level.hook_name) for level in levels]
    targets = Targets(torch.from_numpy(work.labels("train"))[None], work.problem.n_classes)

    def fit(level: Tensor) -> tuple[Sample, Solution]:
        sample = work.problem.sample(level)
        return sample, logistic(sample, targets, torch.tensor([work.strength]))

    begin = time.perf_counter()
    with counted_evaluations(len(work.problem.index["train"])) as steps:
        found = side_by_side(fit, rows)
    seconds = time.perf_counter() - begin
    accuracy = [score(work, sample.dev, fit.weight[0], fit.bias[0]) for sample, fit in found]
    objective = [penalised_loss(work, sample.train, fit.weight[0], fit.bias[0]) for sample, fit in found]
    return Fitted(seconds, accuracy, objective, [steps[id(sample.axes(fast_dtype()))] for sample, _ in found])


class counted_evaluations:
    """How often each level's loss was evaluated, in passes over all rows.

    `logistic` reports no such number, so its inner call is watched.
    """

    def __init__(self, rows: int):
        self.rows = rows

    def __enter__(self) -> dict[int, float]:
        self.loss, self.counts = sys.modules["latentmech.probe.logistic"]._Loss, {}
        self.inner = inner = self.loss.at

        def counting(own: Any, *rest: Any) -> Any:
            level = id(own.axes)
            self.counts[level] = self.counts.get(level, 0) + len(own.rows) / self.rows
            return inner(own, *rest)

        self.loss.at = counting
        return self.counts

    def __exit__(self, *_: object) -> None:
        self.loss.at = self.inner


def fit_sklearn(work: Work, levels: Sequence[Level]) -> Fitted:
    """One level after the other."""
    singles = [_fit_sklearn(work, level.hook_name) for level in levels]
    seconds, accuracy, objective, steps = (list(column) for column in zip(*singles, strict=True))
    return Fitted(sum(seconds), accuracy, objective, steps)


def _fit_sklearn(work: Work, name: str) -> tuple[float, float, float, int]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = work.activations.level(name).numpy()
    train, dev = (rows[work.problem.activation_rows(split)] for split in ("train", "dev"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # not converged
        begin = time.perf_counter()
        scaler = StandardScaler()
        x = scaler.fit_transform(train)
        fit = LogisticRegression(C=work.C, max_iter=1000).fit(x, work.labels("train"))
        seconds = time.perf_counter() - begin
    weight, bias = torch.from_numpy(fit.coef_.T), torch.from_numpy(fit.intercept_)
    accuracy = score(work, torch.from_numpy(scaler.transform(dev)), weight, bias)
    return seconds, accuracy, penalised_loss(work, torch.from_numpy(x), weight, bias), int(fit.n_iter_.max())


def score(work: Work, rows: Tensor, weight: Tensor, bias: Tensor) -> float:
    """Accuracy on dev."""
    predicted = (rows @ weight.float() + bias.float()).argmax(1).numpy()
    return float((predicted == work.labels("dev")).mean())


def penalised_loss(work: Work, rows: Tensor, weight: Tensor, bias: Tensor) -> float:
    """What both minimise, in double precision."""
    logits = rows.double() @ weight.double() + bias.double()
    nats = torch.nn.functional.cross_entropy(logits, torch.from_numpy(work.labels("train")))
    return float(nats + work.strength / 2 * weight.double().square().sum())


def peak_mib() -> float:
    """The most memory that this process has held (getrusage would count that of the process that started it)."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def show(
    work: Work,
    levels: Sequence[Level],
    results: dict[str, list[list[Fitted]]],
    memory: dict[str, float],
    path: Path | None,
) -> None:
    """Print the tables and the bars, and write them."""
    seconds = {name: [sum(f.seconds for f in fits) for fits in rounds] for name, rounds in results.items()}
    tables = {"levels": by_level(levels, results), "totals": totals(seconds, memory, len(levels))}
    bars = judged(seconds, float(tables["levels"]["difference"].abs().max()))
    facts = described(work, levels, len(seconds["ours"]))
    print(
        "  ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items()
        )
    )
    for table in tables.values():
        print(table.to_string(index=False, formatters=formatters(table)))
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    if path:
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        path.write_text(json.dumps({"facts": facts, **rows, "bars": bars, "seconds": seconds}, indent=2) + "\n")


def described(work: Work, levels: Sequence[Level], rounds: int) -> dict[str, object]:
    """What the numbers were taken on."""
    return machine() | {
        "train words": len(work.problem.index["train"]),
        "dev words": len(work.problem.index["dev"]),
        "classes": work.problem.n_classes,
        "levels": len(levels),
        "strength": work.strength,
        "rounds": rounds,
    }


def totals(seconds: dict[str, list[float]], memory: dict[str, float], n_levels: int) -> pd.DataFrame:
    """Time for all levels, over the rounds, and memory."""
    rows = [
        {
            "contender": name,
            "seconds": median(own),
            "min": min(own),
            "max": max(own),
            "seconds/level": median(own) / n_levels,
            "peak MiB": memory[name],
        }
        for name, own in seconds.items()
    ]
    return pd.DataFrame(rows)


def judged(seconds: dict[str, list[float]], worst: float) -> dict[str, bool]:
    """The bars of the project, in words, and whether they are met."""
    speedups = [theirs / mine for mine, theirs in zip(seconds["ours"], seconds["scikit-learn"], strict=True)]
    spread = f"({min(speedups):.1f} to {max(speedups):.1f} by round)"
    return {
        f"{median(speedups):.1f} times as fast as scikit-learn {spread}, bar {SPEED_BAR}": median(speedups)
        >= SPEED_BAR,
        f"dev accuracy at most {100 * worst:.2f} points apart, bar {100 * ACCURACY_BAR:.1f}": worst <= ACCURACY_BAR,
    }


def formatters(table: pd.DataFrame) -> dict[str, Any]:
    """How each column reads."""
    special = {"excess loss": "{:+.1e}".format, "difference": "{:+.4f}".format}
    special |= dict.fromkeys(("ours", "scikit-learn"), "{:.4f}".format) | {"our evaluations": "{:.1f}".format}
    special |= dict.fromkeys(("seconds", "min", "max", "seconds/level"), "{:.2f}".format) | {
        "peak MiB": "{:.0f}".format
    }
    return {name: how for name, how in special.items() if name in table}


def by_level(levels: Sequence[Level], results: dict[str, list[list[Fitted]]]) -> pd.DataFrame:
    """Accuracy, loss and steps of both at every level, from the first round: every round gives the same."""
    columns = {
        (name, what): [value for fitted in rounds[0] for value in getattr(fitted, what)]
        for name, rounds in results.items()
        for what in ("accuracy", "objective", "steps")
    }
    ours, theirs = (
        {what: np.array(columns[name, what]) for what in ("accuracy", "objective", "steps")}
        for name in ("ours", "scikit-learn")
    )
    return pd.DataFrame(
        {
            "level": [level.tick for level in levels],
            "ours": ours["accuracy"],
            "scikit-learn": theirs["accuracy"],
            "difference": ours["accuracy"] - theirs["accuracy"],
            "excess loss": ours["objective"] - theirs["objective"],
            "our evaluations": ours["steps"],
            "their iterations": theirs["steps"],
        }
    )


if __name__ == "__main__":
    main()
