"""Settings of models, encoders, word vectors and scopes, as the command line reads them: without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from latentmech.errors import BadInput
from latentmech.fields import Idle, OneOf, Rule, check
from latentmech.model.sources import Source, label

DEVICES = ("auto", "cpu", "cuda", "mps")
PLACES = ("auto", "balanced", "sequential")
GATES = ("cosine", "projection")  # of an edit that leaves tokens alone


def _no_map(value: Any) -> str | None:
    known = value is None or value in PLACES or (isinstance(value, Mapping) and bool(value))
    return None if known else f" is unknown; expected null, {', '.join(PLACES)}, or devices by the names of modules"


def _drawn(own: Any) -> bool:
    return bool(own.random_init)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which model, and how it is run.

    Attributes:
        name: what a report calls it; empty takes the name of the source. Where the two differ a report says both.
        source: gives the folder with config, tokenizer and weights.
        random_init: the same architecture with fresh weights drawn with `seed`: the control.
        device: `auto` picks CUDA, then MPS, then the CPU.
        dtype: `float32`, `bfloat16` or `float16`, of weights and computation; `auto` takes bfloat16 where there are
            matrix units for it, else float32, and the report says which, and how far its states are from float32's.
        quantization: `int8` or `nf4` (bitsandbytes), `int8_weight_only` (torchao): weights in fewer bits, quantised
            while they are read. `dtype` is what is computed in. Other weights, and so part of the fingerprint.
        device_map: `auto`, `balanced` or `sequential`: blocks are spread over the GPUs, or over CPU and disk, by
            accelerate; or a device for every module, such as `{model.layers.0: 0, ...}`.
        compatibility_mode: TransformerLens's folded and centred weights. They give other residual streams,
            so the flag is part of the fingerprint.
        prepend_bos: put the tokenizer's BOS token before every text (if it has one). A text that a chat template
            wrote begins as the template begins it.
        chat_arguments: what the chat template is told besides, such as `{enable_thinking: false}`.
        engine: where forwards happen: `transformers` (the reference) or `vllm`, which `scripts/venv vllm` installs.
        engine_arguments: what vLLM is told besides, such as `{tensor_parallel_size: 2}`.
        url: a vLLM server that is running already, with this model and our extension; README.md says how it is started.
    """

    builds: ClassVar[str] = "latentmech.model.handle.Model"

    source: Source
    name: str = ""
    random_init: bool = False
    seed: Annotated[int, Idle(lambda own: not own.random_init, "model.random_init is off")] = 0
    device: str = "auto"
    dtype: Annotated[str, OneOf("auto", "float32", "bfloat16", "float16")] = "float32"
    quantization: Annotated[
        str, OneOf("none", "int8", "nf4", "int8_weight_only"), Idle(_drawn, "weights drawn at random are not quantised")
    ] = "none"
    device_map: Annotated[Any, Rule(_no_map), Idle(_drawn, "weights drawn at random lie on one device")] = None
    compatibility_mode: bool = False
    prepend_bos: bool = True
    chat_arguments: Mapping[str, Any] | None = None
    engine: Annotated[str, OneOf("transformers", "vllm")] = "transformers"
    engine_arguments: Annotated[
        Mapping[str, Any] | None,
        Idle(lambda own: own.engine == "transformers", "model.engine is transformers"),
        Idle(lambda own: own.url is not None, "the server of model.url was started with its own"),
    ] = None
    url: Annotated[str | None, Idle(lambda own: own.engine == "transformers", "model.engine is transformers")] = None

    def __post_init__(self) -> None:
        check(self, "model")
        if self.engine != "transformers" and self.compatibility_mode:
            raise BadInput(
                f"model.compatibility_mode=true folds weights, which model.engine={self.engine} does not; choose one"
            )
        if self.engine != "transformers" and (self.quantization != "none" or self.device_map is not None):
            other = "device_map" if self.device_map is not None else "quantization"
            seen = f"model.{other} is done by transformers, and model.engine={self.engine}"
            raise BadInput(f"{seen}; say it to the engine, in model.engine_arguments")
        object.__setattr__(self, "name", label(self.name, self.source))
        if self.device.partition(":")[0] not in DEVICES:
            raise BadInput(f"model.device={self.device} is unknown; expected {', '.join(DEVICES)}")
        if self.device_map is not None and self.device != "auto":
            raise BadInput(
                f"model.device={self.device} and model.device_map={self.device_map} both say where; give one"
            )
        if self.compatibility_mode and (self.quantization != "none" or self.device_map is not None):
            other = "device_map" if self.device_map is not None else "quantization"
            raise BadInput(f"model.compatibility_mode=true folds weights, which model.{other} does not let it; set one")


@dataclass(frozen=True, kw_only=True)
class SentenceEncoderSettings:
    """A sentence encoder.

    Attributes:
        name: what a report calls it; empty takes the name of the source.
        source: gives the folder.
    """

    builds: ClassVar[str] = "latentmech.model.sentence_encoder.SentenceEncoder"

    source: Source
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", label(self.name, self.source))


@dataclass(frozen=True)
class WordVectorsSettings:
    """GloVe from a Python package, or vectors of your own.

    Attributes:
        path: a text file with a word and its numbers in every line, as GloVe and word2vec write it. None takes GloVe.
    """

    builds: ClassVar[str] = "latentmech.model.word_vectors.WordVectors"

    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScopeSettings:
    """The tokens that are edited, counted in each text from its own first token. Padding never is.

    Attributes:
        prompt: edit the prompt's tokens.
        generated: edit the tokens after the prompt.
        first: tokens before this position stay as they are; 1 leaves the attention sink alone.
        last: so do tokens from this position on, if it is given.
    """

    builds: ClassVar[str] = "latentmech.model.scope.Scope"

    prompt: bool = True
    generated: bool = True
    first: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        if not (self.prompt or self.generated):
            raise BadInput("a scope with prompt=false and generated=false edits nothing; set one of them")
        if self.first < 0:
            raise BadInput(f"first={self.first} is before the text; positions count from 0")
        if self.last is not None and self.last <= self.first:
            raise BadInput(f"last={self.last} leaves no token after first={self.first}; last is exclusive")
