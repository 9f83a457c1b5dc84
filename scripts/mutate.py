"""Lines that decide a sentence or a choice, each turned round once: does a test notice?

    .venv/bin/python scripts/mutate.py            40 of them, drawn with a seed
    .venv/bin/python scripts/mutate.py --n 10 --seed 3 --only steering

A line decides a sentence or a choice if it stands in a function that gives text, a truth value or a place in a list,
and holds a comparison, an `and` or `or`, a `not`, a choice between two values, or a largest or smallest. The tests of
its room are run on a copy of the tree; a change that all of them pass is marked. One that never ends is noticed too.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECONDS = 900  # that the tests of a room may take
ROOMS = ("statistics", "probe", "direction", "steering", "geometry", "retrieval", "report")
DECIDES = ("str", "Iterator[str]", "list[str]", "Sequence[str]", "tuple[str, ...]", "bool", "int", "list[int]")
CHOOSES = (
    "best",
    "choose",
    "verdict",
    "chosen",
    "closest",
    "holm",
    "confidence",
    "apart",
    "beats",
    "is_",
    "has_",
    "by_",
)
TURNED = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
SWAPPED = {"max": "min", "min": "max", "argmax": "argmin", "argmin": "argmax", "any": "all", "all": "any"}
SWAPPED |= {"nanargmax": "nanargmin", "nanargmin": "nanargmax"}


@dataclass(frozen=True)
class Site:
    """One place that can be turned round: the `number`-th such node of a file."""

    path: Path
    number: int
    line: int
    text: str


def main() -> None:
    """Draw, turn, test, and say what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a path")
    asked = parser.parse_args()
    sites = drawn([site for path in files() for site in sites_of(path) if asked.only in str(path)], asked.n, asked.seed)
    survived = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        kept = shutil.ignore_patterns(".venv", ".git", "runs", "sweeps", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, tree, ignore=kept)
        for site in sites:
            noticed = is_noticed(tree, site)
            where = f"{site.path.relative_to(ROOT)}:{site.line}"
            print(f"{'noticed ' if noticed else 'SURVIVED'}  {where}  {site.text}", flush=True)
            survived += [] if noticed else [where]
    print(f"{len(sites) - len(survived)} of {len(sites)} noticed")


def files() -> Iterator[Path]:
    """Files of the rooms that say or choose something."""
    for room in ROOMS:
        yield from sorted((ROOT / "latentmech" / room).rglob("*.py"))


def sites_of(path: Path) -> list[Site]:
    """Every place of a file that can be turned round."""
    source = path.read_text()
    lines = source.splitlines()
    nodes = list(turnable(ast.parse(source)))
    return [Site(path, i, node.lineno, lines[node.lineno - 1].strip()) for i, node in enumerate(nodes)]


def turnable(tree: ast.Module) -> Iterator[ast.expr]:
    """Nodes inside functions that decide."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and decides(function):
            yield from (node for node in ast.walk(function) if isinstance(node, ast.expr) and can_turn(node))


def can_turn(node: ast.expr) -> bool:
    """Whether it can be turned round."""
    match node:
        case ast.BoolOp() | ast.IfExp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare():
            return type(node.ops[0]) in TURNED
        case ast.Call():
            return called(node) in SWAPPED
    return False


def decides(function: ast.FunctionDef) -> bool:
    """Whether it gives text, a truth value or a place, or is called as what chooses."""
    gives = ast.unparse(function.returns) if function.returns else ""
    name = function.name.lstrip("_")
    return gives.strip('"') in DECIDES or any(part in name for part in CHOOSES)


def called(node: ast.Call) -> str:
    """The name of what is called, without what it belongs to."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def drawn(sites: list[Site], n: int, seed: int) -> list[Site]:
    """Sites from all rooms alike, no line twice."""
    rng, by_room = random.Random(seed), dict[str, list[Site]]()
    for site in sites:
        by_room.setdefault(site.path.relative_to(ROOT / "latentmech").parts[0], []).append(site)
    for own in by_room.values():
        rng.shuffle(own)
    found: dict[tuple[Path, int], Site] = {}
    while len(found) < n and any(by_room.values()):
        for own in by_room.values():
            if own and len(found) < n:
                site = own.pop()
                found.setdefault((site.path, site.line), site)
    return list(found.values())


def turned(source: str, number: int) -> str:
    """The source with one node turned round."""
    tree = ast.parse(source)
    node = list(turnable(tree))[number]
    if isinstance(node, ast.Compare):
        node.ops[0] = TURNED[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = TURNED[type(node.op)]()
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node, ast.UnaryOp):
        node.operand = ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node.func.attr = SWAPPED[node.func.attr]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        node.func.id = SWAPPED[node.func.id]
    return ast.unparse(ast.fix_missing_locations(tree))


def is_noticed(tree: Path, site: Site) -> bool:
    """Whether a test of the room, or of the command line, turns red."""
    place = tree / site.path.relative_to(ROOT)
    source = place.read_text()
    place.write_text(turned(source, site.number))
    room, *rest = site.path.relative_to(ROOT / "latentmech").parts
    question = rest[0] if room == "geometry" and len(rest) > 1 else room
    try:
        first = red(
            tree, f"tests/{room}", *(["-k", f"{question} or pathologies or studies"] if question != room else [])
        )
        return first or red(tree, "tests/test_run.py", "-k", f"{question} and not bad_input")
    finally:
        place.write_text(source)


def red(tree: Path, *arguments: str) -> bool:
    """Whether these tests fail."""
    env = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not real", "-p", "no:cacheprovider", *arguments]
    mute = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=tree, env=env, start_new_session=True, stdout=mute, stderr=mute) as run:
        try:
            return run.wait(SECONDS) not in (0, 5)  # 5: none of that name
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            return True


if __name__ == "__main__":
    main()
