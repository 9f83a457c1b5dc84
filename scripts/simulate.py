"""How far the inference can be believed, on made data whose truth is known.

    scripts/simulate                 all tables, into experiments/inference/
    scripts/simulate --sets 300      faster and rougher
    scripts/simulate --only studies  one of them

The data are those of `tests/statistics/simulated.py` and `claims.py`, which the tests use in small numbers.
"""

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from latentmech.statistics import (
    Estimate,
    Tally,
    auroc_of,
    beats,
    confidence_set,
    difference,
    estimate,
    leads,
    mean_of,
)

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "statistics"), str(ROOT / "tests")]

from claims import CASES  # noqa: E402
from simulated import accuracy, levels, topics, topics_auroc, two_readers  # noqa: E402

GROUPS = (3, 4, 5, 10, 20, 60, 100)
DISTANCES = (0.5, 1.0, 1.8, 2.7)  # between the means of two kinds of texts: AUROC 0.62 to 0.95
RNG = np.random.default_rng

Interval = Callable[[np.random.Generator, int], Estimate]


def main() -> None:
    """Write and print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000, help="data sets a cell")
    parser.add_argument("--folder", type=Path, default=ROOT / "experiments" / "inference")
    tables = {"coverage": coverage, "confidence_set": sets_of_levels, "beats": said_to_beat, "studies": by_studies}
    parser.add_argument("--only", choices=tables, help="a single table")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items() if asked.only is None else [(asked.only, tables[asked.only])]:
        frame = pd.DataFrame(table(asked.sets))
        frame.to_csv(asked.folder / f"{name}.csv", index=False, float_format="%.3f")
        print(f"\n{name}\n{frame.to_string(index=False, float_format='{:.3f}'.format)}", flush=True)


def coverage(n: int) -> Iterator[dict[str, object]]:
    """How often a nominal 95 % interval holds the truth, and its mean width; a percentile bootstrap beside it."""
    for name, truth, made in _quantities():
        for groups in tqdm(GROUPS, desc=name, leave=False):
            tallies = [made(RNG(seed), groups) for seed in range(n)]
            own = [_interval(one, seed) for seed, one in enumerate(tallies)]
            row = {"quantity": name, "truth": truth, "groups": groups, "covered": _share(own, truth)}
            row["width"] = float(np.mean([one.ci_high - one.ci_low for one in own]))
            drawn = [_percentile(one, seed) for seed, one in enumerate(tallies[: n // 4])]
            yield row | {"percentile bootstrap": _share(drawn, truth)}


def _quantities() -> Iterator[tuple[str, float, Callable[[np.random.Generator, int], tuple[Tally, ...]]]]:
    for truth in (0.6, 0.9, 0.97):
        yield f"accuracy {truth}", truth, lambda rng, g, t=truth: (mean_of(*accuracy(g, rng, t), 0, 1),)
    yield "paired difference", 0.06, lambda rng, g: _pair(*two_readers(g, rng))
    for distance in DISTANCES:
        truth = topics_auroc(distance)
        yield f"AUROC {truth:.2f}", truth, lambda rng, g, d=distance: (auroc_of(*topics(g, rng, d)),)


def _pair(own: np.ndarray, other: np.ndarray, clusters: np.ndarray) -> tuple[Tally, Tally]:
    return mean_of(own, clusters, 0, 1), mean_of(other, clusters, 0, 1)


def _interval(tallies: tuple[Tally, ...], seed: int) -> Estimate:
    return estimate(tallies[0], 500, seed) if len(tallies) == 1 else difference(*tallies, 500, seed)


def _percentile(tallies: tuple[Tally, ...], seed: int) -> Estimate:
    first, *rest = (one.draws(500, seed) for one in tallies)
    low, high = np.nanpercentile(first - sum(rest), [2.5, 97.5])
    return Estimate(0.0, float(low), float(high))


def _share(estimates: list[Estimate], truth: float) -> float:
    return float(np.mean([one.ci_low - 1e-12 <= truth <= one.ci_high + 1e-12 for one in estimates]))


def sets_of_levels(n: int) -> Iterator[dict[str, object]]:
    """How often the truly best of 30 levels is left out (size), and a worse one is (power)."""
    for groups in (10, 15, 30, 60):
        for likeness in (0.5, 0.9):
            for gap in (0.0, 0.01, 0.05):
                missed, dropped = 0, 0
                for seed in range(n // 10):
                    scores, clusters = levels(30, groups, RNG(seed), likeness, gap)
                    kept = confidence_set([mean_of(row, clusters, 0, 1) for row in scores], 500, seed) or []
                    missed += 0 not in kept
                    dropped += sum(i not in kept for i in range(1, 30))
                row = {"groups": groups, "likeness of errors": likeness, "best ahead by": gap}
                yield row | {"best left out": missed / (n // 10), "others left out": dropped / 29 / (n // 10)}


def said_to_beat(n: int) -> Iterator[dict[str, object]]:
    """How often a reader is said to beat its rivals, by how much better than the strongest it truly is."""
    for groups in (4, 10, 20, 60):
        for rivals in (1, 4):
            for gain in (0.0, 0.03, 0.06, 0.12):
                said = 0
                for seed in range(n // 4):
                    rng = RNG(seed)
                    own, other, clusters = two_readers(groups, rng, 0.8 + gain, 0.8)
                    more = [(rng.random(len(clusters)) < 0.6) * 1.0 for _ in range(rivals - 1)]
                    others = {str(i): mean_of(r, clusters, 0, 1) for i, r in enumerate([other, *more])}
                    said += beats(leads(mean_of(own, clusters, 0, 1), others))
                yield {"groups": groups, "rivals": rivals, "truly better by": gain, "said to beat": said / (n // 4)}


def by_studies(n: int) -> Iterator[dict[str, object]]:
    """How often each study makes its claim of noise, and of a planted effect: its own code up to the headline."""
    runs = n // 10
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        os.environ["LATENTMECH_CACHE"] = folder
        for case in CASES:
            none, some = ([case.of(seed, effect) for seed in range(runs)] for effect in (False, True))
            row = {"study": case.study, "noise": case.noise, "runs": runs, "said": sum(one.said for one in none)}
            row |= {"nominal": case.nominal * runs, "ahead in points": sum(one.ahead for one in none)}
            yield row | {"effect": case.effect, "power": sum(one.said for one in some) / runs}


if __name__ == "__main__":
    main()
