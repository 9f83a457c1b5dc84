"""Directions as other tools write and read them: llama.cpp and repeng, steering-vectors, lm-evaluation-harness."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.direction.formats.gguf import export_gguf, import_gguf
    from latentmech.direction.formats.lm_eval import export_lm_eval
    from latentmech.direction.formats.steering_vectors import export_steering_vectors, import_steering_vectors

__getattr__, __dir__, __all__ = lazily(__name__)
