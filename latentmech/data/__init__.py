"""Text and labels: what a study asks about, before any tokenizer or tensor."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.data.analogies import Analogies
    from latentmech.data.collection import Collection
    from latentmech.data.conllu import read_conllu
    from latentmech.data.contrast import PROMPT, Contrast, alternating, contrast_of, letters_of, said, without
    from latentmech.data.corpus import Corpus
    from latentmech.data.duplicates import Duplicates, copies_among, cross_split_duplicates, said_of_copies, shingles
    from latentmech.data.examples import Examples, Span, distinct, join
    from latentmech.data.files import read_text
    from latentmech.data.labels import TASKS, WHOLE_TEXT, Task, UnitTable, flat, task, to_score
    from latentmech.data.library import LabelledPairs, Library, TextPairs
    from latentmech.data.pairs import Pairs, bundled_pairs, has_both_kinds, holds_pairs, read_texts
    from latentmech.data.splits import limited, split_by_group, tied_groups
    from latentmech.data.stream import TextStream
    from latentmech.data.surface import SURFACE, ending, surface_scores
    from latentmech.data.table import Label, read_csv, read_jsonl
    from latentmech.data.word_pairs import WordPairs, common_words, with_company
    from latentmech.data.words import length_in_words, terms_of, units_of, words_of

__getattr__, __dir__, __all__ = lazily(__name__)
