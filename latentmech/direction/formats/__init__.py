"""Directions as other tools write and read them: llama.cpp and repeng, steering-vectors, lm-evaluation-harness."""

from latentmech.direction.formats.gguf import export_gguf, import_gguf
from latentmech.direction.formats.lm_eval import export_lm_eval
from latentmech.direction.formats.model_card import model_card
from latentmech.direction.formats.steering_vectors import export_steering_vectors, import_steering_vectors

__all__ = [
    "export_gguf",
    "export_lm_eval",
    "export_steering_vectors",
    "import_gguf",
    "import_steering_vectors",
    "model_card",
]
