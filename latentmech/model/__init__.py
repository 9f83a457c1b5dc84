"""Where TransformerLens meets us: weight sources, the `Model` handle, tokens and words, the backbone forward."""

from latentmech.model.batching import PADDING_SIDES, Batch, batches_under, length_sorted, pad
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.forward import reading
from latentmech.model.handle import Model
from latentmech.model.levels import SITES, Level, levels_of
from latentmech.model.sources import Hub, Local, RegistryPackage, Source
from latentmech.model.tiny import Tiny
from latentmech.model.tokens import POSITIONS, Tokens, text_rows, tokenise, word_rows

__all__ = [
    "PADDING_SIDES",
    "POSITIONS",
    "SITES",
    "Batch",
    "Checkpoint",
    "Hub",
    "Level",
    "Local",
    "Model",
    "RegistryPackage",
    "Source",
    "Tiny",
    "Tokens",
    "batches_under",
    "length_sorted",
    "levels_of",
    "pad",
    "reading",
    "text_rows",
    "tokenise",
    "word_rows",
]
