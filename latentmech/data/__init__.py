"""Text and labels: what a study asks about, before any tokenizer or tensor."""

from latentmech.data.conllu import read_conllu
from latentmech.data.contrast import PROMPT, Contrast, contrast_of, said
from latentmech.data.corpus import Corpus
from latentmech.data.duplicates import Duplicates, cross_split_duplicates
from latentmech.data.examples import Examples, Span
from latentmech.data.labels import TASKS, Task, task
from latentmech.data.letters import alternating, letters_of
from latentmech.data.limit import limited
from latentmech.data.pair_files import has_both_kinds, read_texts
from latentmech.data.pairs import Pairs, bundled_pairs
from latentmech.data.rows import read_csv, read_jsonl
from latentmech.data.splits import split_by_group
from latentmech.data.units import WHOLE_TEXT, UnitTable, flat

__all__ = [
    "PROMPT",
    "TASKS",
    "WHOLE_TEXT",
    "Contrast",
    "Corpus",
    "Duplicates",
    "Examples",
    "Pairs",
    "Span",
    "Task",
    "UnitTable",
    "alternating",
    "bundled_pairs",
    "contrast_of",
    "cross_split_duplicates",
    "flat",
    "has_both_kinds",
    "letters_of",
    "limited",
    "read_conllu",
    "read_csv",
    "read_jsonl",
    "read_texts",
    "said",
    "split_by_group",
    "task",
]
