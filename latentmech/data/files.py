"""Opening the user's text files, and those that come with the package.

Whatever is wrong with one is said in one line, with what to do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from latentmech.errors import BadInput, ResourceError, expected


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark and with `\\n` at its line ends, whatever wrote it."""
    text = _decoded(path, _bytes(path))
    if not text.strip():
        raise BadInput(f"{path}: the file is empty; expected annotated text: check the export that wrote it")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def missing(path: Path) -> BadInput:
    """The error for a path that does not exist, with the nearest name in the deepest folder that does."""
    path = Path(path)
    folder = path.parent
    while not folder.is_dir():
        path, folder = folder, folder.parent
    names = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    return BadInput(f"no {path.name!r} in {folder.resolve()}; {expected(path.name, sorted(names), 'the folder has')}")


def bundled_names(kind: str) -> list[str]:
    """Names of the bundled `contrasts`, `corpora` or `collections`; each has a card beside it."""
    cards = (file.name for file in (resources.files("latentmech.data") / kind).iterdir())
    return sorted(name.removesuffix(".md") for name in cards if name.endswith(".md"))


def check_bundled(kind: str, what: str, name: str) -> None:
    """BadInput unless there is a bundled set of that name."""
    if name not in (names := bundled_names(kind)):
        raise BadInput(f"no bundled {what} {name!r}; {expected(name, names)}; or set `path` to your own data")


@contextmanager
def bundled(kind: str) -> Iterator[Path]:
    """The bundled files of a kind as a folder on disk, also when the package is imported from an archive."""
    with resources.as_file(resources.files("latentmech.data") / kind) as folder:
        yield folder


def given(path: str | Path) -> Path:
    """A user's path, `~` spelled out.

    Raises:
        BadInput: nothing is there.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise missing(path)
    return path


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing(path) from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder; expected a file: name one of the files in it") from None
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `start` counts from behind a byte-order mark, so lines are counted in what the codec saw.
        line = error.object[: error.start].count(b"\n") + 1
        seen = f"byte 0x{error.object[error.start]:02x}"
        raise BadInput(f"{path}:{line}: {seen} is not UTF-8; expected UTF-8 text: save it as UTF-8") from None
