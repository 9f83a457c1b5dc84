"""Where TransformerLens meets us: weight sources, the `Model` handle, tokens and words, the backbone forward."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.model.adapter import Adapted
    from latentmech.model.batching import PADDING_SIDES, Batch, batches_under, length_sorted, pad
    from latentmech.model.chat import Dialogue, dialogues
    from latentmech.model.checkpoint import Checkpoint
    from latentmech.model.finetune import FineTuning, train_adapter
    from latentmech.model.fold import bias_place, fold_ablation, fold_addition, save_folded, writers
    from latentmech.model.forward import reading
    from latentmech.model.generation import Generated, Runner, end_ids
    from latentmech.model.handle import Model
    from latentmech.model.intervention import intervening
    from latentmech.model.lens import read_out, says
    from latentmech.model.levels import EMBED_HOOK, POSITIONS, SITES, Layers, Level, Position, Site, levels_of
    from latentmech.model.memory import out_of_memory
    from latentmech.model.packing import Variant, packed_generate, packed_logits
    from latentmech.model.scope import Edit, Scope
    from latentmech.model.sentence_encoder import SentenceEncoder
    from latentmech.model.settings import ModelSettings, ScopeSettings, SentenceEncoderSettings, WordVectorsSettings
    from latentmech.model.sources import Hub, Local, PackageFolder, RegistryPackage, Source
    from latentmech.model.tiny import Tiny
    from latentmech.model.token_tables import embedding, unembedding
    from latentmech.model.tokens import Tokens, text_rows, tokenise, word_rows
    from latentmech.model.word_vectors import WordVectors

__getattr__, __dir__, __all__ = lazily(__name__)
