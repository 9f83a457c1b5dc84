"""Rooms import only rooms above them; heavy guests stay in their own room."""

import ast
from pathlib import Path

import pytest

import latentmech

PACKAGE = Path(latentmech.__file__).parent
ORDER = (
    "errors storage statistics report data model activations study direction probe steering geometry retrieval "
    "settings provenance run"
).split()
GUESTS = {
    "hydra": {"run"},
    "wandb": {"report"},
    "transformer_lens": {"model"},
    "transformers": {"model"},
    "peft": {"model"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their room"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_know_only_what_lies_below_them(path):
    room = room_of(path)
    assert room == "__init__" or room in ORDER, f"{room} has no place in the order"
    for module in imports(path):
        top, _, rest = module.partition(".")
        if top == "latentmech" and rest and room != "__init__":
            other = rest.split(".")[0]
            assert ORDER.index(other) <= ORDER.index(room), f"{room} must not import {other}"
        if top in GUESTS:
            assert room in GUESTS[top], f"{top} belongs to {GUESTS[top]}, not to {room}"


def test_there_is_something_to_check():
    assert len(FILES) > 30
