"""vLLM as an engine: many requests at once, each with its own plan of what is read and edited."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.model.vllm.boot import booted
    from latentmech.model.vllm.vllm_engine import VllmEngine

__getattr__, __dir__, __all__ = lazily(__name__)
