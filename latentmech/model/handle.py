"""`Model`: who a model is, without its weights; the weights come on first touch."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model.boot import explained, wire
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.settings import ModelSettings
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

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
    """

    seen: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = self.device.partition(":")[0]
        if kind != "auto" and not AVAILABLE[kind]():
            raise BadInput(f"model.device={self.device} is not there on this machine; model.device=auto takes what is")

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The folder on disk; fetched if need be."""
        return self.source()

    @cached_property
    def config(self) -> "PretrainedConfig":
        """transformers' configuration of the text model."""
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(self.checkpoint.folder, local_files_only=True).get_text_config()

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return int(self.config.num_hidden_layers)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.config.hidden_size)

    @property
    def n_ctx(self) -> int:
        """Longest input, in tokens; as good as infinite where neither config nor tokenizer names a limit."""
        named = (getattr(self.config, name, None) for name in LIMITS)
        return int(next((limit for limit in named if limit), min(self.tokenizer.model_max_length, sys.maxsize)))

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The fast tokenizer (character offsets are needed to find words)."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.checkpoint.folder, local_files_only=True)
        if not tokenizer.is_fast:
            raise BadInput(
                f"{self.name} has no fast tokenizer, so words cannot be found in its tokens; add tokenizer.json"
            )
        return tokenizer

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that a residual stream depends on, but for the text."""
        return {
            "weights": self._weights_identity(),
            "config": self.checkpoint.config_sha256,
            "tokenizer": self.checkpoint.tokenizer_sha256,
            "dtype": self.dtype,
            "compatibility_mode": self.compatibility_mode,
            "prepend_bos": self.prepend_bos,
        }

    def _weights_identity(self) -> Any:
        if not self.random_init:
            return self.checkpoint.weights_sha256
        import transformers

        return {"random_init": self.seed, "torch": torch.__version__, "transformers": transformers.__version__}

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
            BadInput: TransformerLens does not know this architecture, or fails at it.
        """
        self.checkpoint.verify()
        try:
            with quiet(), explained(self.name, self.config):
                bridge = self._boot_random() if self.random_init else self._boot_trained()
                wire(bridge)
                bridge.requires_grad_(False)
                if self.compatibility_mode:
                    bridge.enable_compatibility_mode()
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise ResourceError(
                f"{self.name} does not fit into the memory of {self.torch_device}; set model.dtype=bfloat16"
            ) from error
        return bridge

    def _boot_trained(self) -> "TransformerBridge":
        from safetensors import SafetensorError
        from transformer_lens.model_bridge import TransformerBridge
        from transformers import AutoModelForCausalLM

        folder, dtype = str(self.checkpoint.folder), getattr(torch, self.dtype)
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, local_files_only=True, output_loading_info=True
            )
        except (SafetensorError, OSError) as error:  # cut short, or a shard that its index names is not there
            raise IntegrityError(f"the weights in {folder} cannot be read ({error}); fetch them again") from error
        hf_model, info = loaded
        if missing := sorted(info["missing_keys"]):  # transformers would go on with random numbers in their place
            raise IntegrityError(
                f"the weights in {folder} lack {len(missing)} tensors, {missing[0]} among them; fetch them again"
            )
        torch.nn.Module.to(hf_model, self.torch_device)
        _unmap(hf_model)
        return TransformerBridge.boot_transformers(
            folder, hf_model=hf_model, tokenizer=self.tokenizer, device=self.torch_device, dtype=dtype
        ).eval()

    def _boot_random(self) -> "TransformerBridge":
        from transformer_lens.tools.analysis import random_init_bridge

        return random_init_bridge(
            str(self.checkpoint.folder),
            seed=self.seed,
            dtype=getattr(torch, self.dtype),
            device=self.torch_device,
            tokenizer=self.tokenizer,
        )


def _unmap(hf_model: torch.nn.Module) -> None:
    """Copy weights out of the file that they are mapped from, where they lie on odd addresses in small pages.

    A forward with the copies is one or two per cent faster on a CPU, and a file that changes later cannot change the
    model.
    """
    for weight in hf_model.parameters():
        if weight.device.type == "cpu":
            weight.data = weight.data.clone()


@contextmanager
def quiet() -> Iterator[None]:
    """Booting prints what it does, and draws bars for a load of a second; neither belongs into a result's output."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
