"""Text and labels: what a study asks about, before any tokenizer or tensor."""

from latentmech.data.analogies import Analogies
from latentmech.data.collection import Collection
from latentmech.data.conllu import read_conllu
from latentmech.data.contrast import PROMPT, Contrast, contrast_of, said
from latentmech.data.corpus import Corpus
from latentmech.data.duplicates import Duplicates, cross_split_duplicates
from latentmech.data.examples import Examples, Span
from latentmech.data.labels import TASKS, Task, task
from latentmech.data.letters import alternating, letters_of
from latentmech.data.library import Library
from latentmech.data.limit import limited
from latentmech.data.pair_files import has_both_kinds, holds_pairs, read_texts
from latentmech.data.pairs import Pairs, bundled_pairs
from latentmech.data.rows import read_csv, read_jsonl
from latentmech.data.splits import split_by_group
from latentmech.data.text_pairs import TextPairs
from latentmech.data.units import WHOLE_TEXT, UnitTable, flat
from latentmech.data.word_pairs import WordPairs, common_words, with_company

__all__ = [
    "PROMPT",
    "TASKS",
    "WHOLE_TEXT",
    "Analogies",
    "Collection",
    "Contrast",
    "Corpus",
    "Duplicates",
    "Examples",
    "Library",
    "Pairs",
    "Span",
    "Task",
    "TextPairs",
    "UnitTable",
    "WordPairs",
    "alternating",
    "bundled_pairs",
    "common_words",
    "contrast_of",
    "cross_split_duplicates",
    "flat",
    "has_both_kinds",
    "holds_pairs",
    "letters_of",
    "limited",
    "read_conllu",
    "read_csv",
    "read_jsonl",
    "read_texts",
    "said",
    "split_by_group",
    "task",
    "with_company",
]
