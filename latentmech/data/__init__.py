"""Text and labels: what a study asks about, before any tokenizer or tensor."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.data.analogies import Analogies
    from latentmech.data.collection import Collection
    from latentmech.data.conllu import read_conllu
    from latentmech.data.contrast import PROMPT, Contrast, contrast_of, said
    from latentmech.data.corpus import Corpus
    from latentmech.data.duplicates import Duplicates, copies_among, copies_note, cross_split_duplicates
    from latentmech.data.examples import Examples, Span
    from latentmech.data.labels import TASKS, Task, task
    from latentmech.data.letters import alternating, letters_of
    from latentmech.data.library import Library
    from latentmech.data.limit import limited
    from latentmech.data.pair_files import has_both_kinds, holds_pairs, read_texts
    from latentmech.data.pairs import Pairs, bundled_pairs
    from latentmech.data.rows import read_csv, read_jsonl
    from latentmech.data.splits import split_by_group
    from latentmech.data.surface import SURFACE, ending, surface_scores, words
    from latentmech.data.text_pairs import TextPairs
    from latentmech.data.units import WHOLE_TEXT, UnitTable, flat
    from latentmech.data.word_pairs import WordPairs, common_words, with_company

__getattr__, __dir__, __all__ = lazily(__name__)
