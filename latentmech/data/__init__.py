"""Text and labels: what a study asks about, before any tokenizer or tensor."""

from latentmech.data.conllu import read_conllu
from latentmech.data.corpus import Corpus
from latentmech.data.duplicates import Duplicates, cross_split_duplicates
from latentmech.data.examples import Examples, Span
from latentmech.data.labels import TASKS, Task, task
from latentmech.data.limit import limited
from latentmech.data.rows import read_csv, read_jsonl
from latentmech.data.splits import split_by_group
from latentmech.data.units import WHOLE_TEXT, UnitTable, flat

__all__ = [
    "TASKS",
    "WHOLE_TEXT",
    "Corpus",
    "Duplicates",
    "Examples",
    "Span",
    "Task",
    "UnitTable",
    "cross_split_duplicates",
    "flat",
    "limited",
    "read_conllu",
    "read_csv",
    "read_jsonl",
    "split_by_group",
    "task",
]
