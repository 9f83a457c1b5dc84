"""What was forgotten when a method, a task, an edit or a question was added: a sentence for each step."""

import ast
from collections.abc import Iterator
from pathlib import Path


def forgotten(root: Path) -> list[str]:
    """The steps of CONTRIBUTING.md that a tree leaves out; none where it is whole."""
    readme = (root / "README.md").read_text()
    steps = (_methods(root, readme), _tasks(root, readme), _edits(root, readme), _questions(root, readme))
    return [sentence for found in steps for sentence in found]


def _methods(root: Path, readme: str) -> Iterator[str]:
    folder = root / "latentmech" / "direction"
    named = _strings(folder / "settings.py", "METHODS")
    for name in named:
        path = folder / f"{name}.py"
        if not path.is_file() or name not in _functions(path):
            yield f"METHODS in direction/settings.py: there is no function {name} in direction/{name}.py."
        if f"`{name}`" not in readme:
            yield f"README.md does not name the direction method {name}."
    for path in sorted(folder.glob("*.py")):
        if "LabelledRows" in _functions(path).get(path.stem, "") and path.stem not in named:
            yield f"direction/{path.stem}.py has a method that METHODS in direction/settings.py does not name."


def _tasks(root: Path, readme: str) -> Iterator[str]:
    tasks = _task_names(root / "latentmech" / "data" / "labels.py")
    options = {path.stem for path in (root / "conf" / "probe").glob("*.yaml")} - {"atlas", "column"}
    for name in sorted(tasks - options):
        yield f"The task {name} of data/labels.py has no conf/probe/{name}.yaml."
    for name in sorted(options - tasks):
        yield f"conf/probe/{name}.yaml asks for a task that TASKS in data/labels.py does not have."
    yield from (
        f"README.md does not name the probe task {name}." for name in sorted(tasks) if f"`{name}`" not in readme
    )


def _edits(root: Path, readme: str) -> Iterator[str]:
    folder = root / "latentmech" / "steering"
    named, kinds = _strings(folder / "settings.py", "EDITS"), _keys(folder / "edits.py", "EDIT_KINDS")
    made = {name for name, takes in _functions(folder / "edits.py").items() if takes == "Direction, Strength"}
    for name in named:
        if name not in kinds:
            yield f"EDITS in steering/settings.py names {name}, and EDIT_KINDS in steering/edits.py has no line for it."
        if f"`{name}`" not in readme:
            yield f"README.md does not name the edit {name}."
    yield from (f"EDITS in steering/settings.py does not name the edit {name}." for name in kinds if name not in named)
    yield from (f"EDIT_KINDS in steering/edits.py has no line for {name}." for name in sorted(made - set(kinds)))


def _questions(root: Path, readme: str) -> Iterator[str]:
    room = root / "latentmech" / "geometry"
    asked, face = (root / "latentmech" / "run" / "questions.py").read_text(), (room / "__init__.py").read_text()
    small = (root / "tests" / "commands.py").read_text()
    folders = {path.name for path in room.iterdir() if (path / "__init__.py").is_file()}
    options = {path.stem for path in (root / "conf" / "geometry").glob("*.yaml")}
    for name in sorted(folders):
        for part in ("settings", "findings", "account", "study"):
            if not (room / name / f"{part}.py").is_file():
                yield f"geometry/{name} has no {part}.py."
        settings = f"{name.capitalize()}Settings"
        if settings not in face:
            yield f"geometry/__init__.py does not hand on {settings}."
        if f'"{name}": geometry.{settings}' not in asked:
            yield f"ROOMS in run/questions.py does not ask {name}."
        if f'"geometry={name}"' not in small:
            yield f"SMALL in tests/commands.py has no settings under which geometry={name} takes a second."
        if f"`{name}`" not in readme and f"geometry={name}" not in readme:
            yield f"README.md does not name geometry={name}."
    yield from (f"geometry={name} has no conf/geometry/{name}.yaml." for name in sorted(folders - options))
    yield from (f"conf/geometry/{name}.yaml has no latentmech/geometry/{name}." for name in sorted(options - folders))


def _assigned(path: Path, name: str) -> ast.expr | None:
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value  # type: ignore[attr-defined]
    return None


def _strings(path: Path, name: str) -> tuple[str, ...]:
    value = _assigned(path, name)
    return tuple(ast.literal_eval(value)) if value is not None else ()


def _keys(path: Path, name: str) -> tuple[str, ...]:
    value = _assigned(path, name)
    return tuple(ast.literal_eval(key) for key in value.keys if key) if isinstance(value, ast.Dict) else ()


def _functions(path: Path) -> dict[str, str]:
    """Name -> the types of what it takes."""
    found = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {f.name: ", ".join(ast.unparse(a.annotation) for a in f.args.args if a.annotation) for f in found}


def _task_names(path: Path) -> set[str]:
    value = _assigned(path, "TASKS")
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)] if value is not None else []
    return {ast.literal_eval(c.args[0]) for c in calls if getattr(c.func, "id", "") == "Task"}
