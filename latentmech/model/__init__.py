"""Where TransformerLens meets us: weight sources, the `Model` handle, tokens and words, the backbone forward."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.model.adapter import Adapted
    from latentmech.model.batching import PADDING_SIDES, Batch, batches_under, length_sorted, out_of_memory, pad
    from latentmech.model.chat import REASONING, Dialogue, Templated, dialogues
    from latentmech.model.checkpoint import Checkpoint
    from latentmech.model.continuation import NextWords, next_words
    from latentmech.model.doors import intervening, reading
    from latentmech.model.finetune import FineTuning, train_adapter
    from latentmech.model.fold import Writers, bias_place, fold_ablation, fold_addition, save_folded, writers
    from latentmech.model.generation import Generated, Runner, end_ids
    from latentmech.model.handle import Model
    from latentmech.model.levels import EMBED_HOOK, POSITIONS, SITES, Layers, Level, Position, Site, levels_of
    from latentmech.model.long_texts import fits, within
    from latentmech.model.packing import Variant, packed_generate, packed_logits
    from latentmech.model.parity import Check, Truth, checks_of, refuse_without, trusted, truth_of
    from latentmech.model.recorded import RecordedModel, copy_description, record_of
    from latentmech.model.scope import Edit, Scope
    from latentmech.model.sentence_encoder import SentenceEncoder
    from latentmech.model.settings import ModelSettings, ScopeSettings, SentenceEncoderSettings, WordVectorsSettings
    from latentmech.model.sources import Hub, Local, PackageFolder, RegistryPackage, Source
    from latentmech.model.tiny import Tiny
    from latentmech.model.tokens import Tokens, text_rows, token_rows, tokenise, word_rows
    from latentmech.model.vocabulary import embedding, read_out, says, unembedding
    from latentmech.model.word_vectors import WordVectors

__getattr__, __dir__, __all__ = lazily(__name__)
