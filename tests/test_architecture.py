"""The house: which room knows which, how a folder is laid out, what settings may know, and how large it is."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import latentmech

PACKAGE = Path(latentmech.__file__).parent
ORDER = (
    "errors lazily fields storage tensors statistics report data model activations direction probe steering geometry "
    "retrieval verify settings provenance run"
).split()
GUESTS = {
    "hydra": {"run"},
    "wandb": {"report"},
    "transformer_lens": {"model"},
    "transformers": {"model"},
    "peft": {"model"},
}
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_FILES, MOST_LINES = 275, 28_700
FLOORS = {"settings": 0, "findings": 2, "account": 4, "tables": 3, "study": 5}  # all else in a question's folder: 1
LIGHT = ("torch", "pandas", "matplotlib", "transformers", "transformer_lens", "scipy", "sklearn", "pyarrow")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[tuple[str, str], ...]:
    """Module and name of every import, those for types included."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their room"
            found += [(node.module or "", alias.name) for alias in node.names]
    return tuple(found)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_know_only_what_lies_below_them(path):
    room = room_of(path)
    assert room == "__init__" or room in ORDER, f"{room} has no place in the order"
    for module, _ in imports(path):
        top, _, rest = module.partition(".")
        if top == "latentmech" and rest and room != "__init__":
            other = rest.split(".")[0]
            assert ORDER.index(other) <= ORDER.index(room), f"{room} must not import {other}"
            assert other == room or "." not in rest, f"{name_of(path)} reaches inside {other}: {module}"
        if top in GUESTS:
            assert room in GUESTS[top], f"{top} belongs to {GUESTS[top]}, not to {room}"


def edges() -> dict[str, set[str]]:
    """Which file imports which; a name from a room's face counts as the file that it comes from."""
    modules = {name_of(path): path for path in FILES}
    faces = {name_of(p): {name: m for m, name in imports(p)} for p in FILES if p.name == "__init__.py"}

    def source(module: str, name: str) -> str:
        while name in faces.get(module, {}):
            module = faces[module][name]
        return f"{module}.{name}" if f"{module}.{name}" in modules else module

    found = {}
    for name, path in modules.items():
        if path.name != "__init__.py":
            found[name] = {source(m, n) for m, n in imports(path)} & set(modules) - {name}
    return found


def test_no_file_imports_itself_in_a_circle():
    graph, state = edges(), dict[str, int]()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"a circle: {' -> '.join([*above[above.index(name) :], name])}"
        if name not in state:
            state[name] = 1
            for other in sorted(graph.get(name, ())):
                visit(other, (*above, name))
            state[name] = 2

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("folder", sorted({p.parent for p in FILES if p.name == "study.py"}), ids=lambda p: p.name)
def test_a_question_reads_from_its_settings_up_to_its_study(folder):
    for part in ("settings", "findings", "account", "study"):
        assert (folder / f"{part}.py").is_file(), f"{folder.name} has no {part}.py"
    for path in folder.glob("*.py"):
        for module, _ in imports(path):
            package, _, other = module.rpartition(".")
            if package == name_of(folder / "__init__.py"):
                mine, below = FLOORS.get(path.stem, 1), FLOORS.get(other, 1)
                assert path.stem == "__init__" or below <= mine, f"{path.name} must not import {other}"
                if path.stem in ("account", "tables"):
                    assert other in ("findings", "tables"), f"{path.name} must import findings only, not {other}"


def test_a_rooms_public_names_are_not_those_of_its_files():
    for path in FILES:
        if path.name == "__init__.py":
            files = {p.stem for p in path.parent.glob("*.py")} | {p.name for p in path.parent.iterdir() if p.is_dir()}
            names = {name for module, name in imports(path) if module.startswith(name_of(path) + ".")}
            assert not names & files, f"{name_of(path)}: {names & files}"


def test_settings_know_neither_torch_nor_pandas():
    settings = [name_of(path) for path in FILES if path.name == "settings.py"]
    assert len(settings) > 12
    code = f"import sys, importlib; [importlib.import_module(m) for m in {[*settings, 'latentmech.run.questions']}]; "
    code += f"print(sorted(set({LIGHT}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_house_stays_small():
    assert len(FILES) <= MOST_FILES
    assert sum(len(path.read_text().splitlines()) for path in FILES) <= MOST_LINES


def test_a_class_name_stands_once():
    names = [n.name for p in FILES for n in ast.parse(p.read_text()).body if isinstance(n, ast.ClassDef)]
    twice = {name for name in names if names.count(name) > 1 and not name.startswith("_")}
    assert not twice, f"two classes are called {sorted(twice)}"
