"""BEIR-style folders: `corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv` (Thakur et al. 2021, "BEIR").

A document has `_id`, `text` and maybe a `title`, which is put before the text; a query has `_id`, `text` and maybe a
`group`: what must stay in one half and is judged as one, such as wordings of one question. A line of the judgements
has `query-id`, `corpus-id` and `score` under a header. Files of judgements that are named after a split
(`dev.tsv` or `train.tsv`, and `test.tsv`) are splits of the queries.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from latentmech.data.collection import Collection, collection_of, with_blanks
from latentmech.data.examples import Examples
from latentmech.data.table import SPLITS, Row, csv_rows, jsonl_rows, label, tabulated
from latentmech.errors import BadInput

QRELS = ("query-id", "corpus-id", "score")
OURS = ("_id", "id", "title", "text", "words", "split", "document")


def is_beir(folder: Path) -> bool:
    """Whether a folder looks like one."""
    return (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file()


def read_beir(folder: Path) -> Collection:
    """Read a folder; documents without any text are left out.

    Raises:
        BadInput: a file is missing or not as described.
    """
    documents, blank = _texts(folder / "corpus.jsonl")
    queries, _ = _texts(folder / "queries.jsonl")
    by_split = _splits({path.stem: _judgements(path) for path in sorted((folder / "qrels").glob("*.tsv"))}, folder)
    joined = {name: graded for part in by_split.values() for name, graded in part.items()}
    judged = queries.where(lambda i: queries.ids[i] in joined)
    collection = with_blanks(collection_of(documents, judged, joined, str(folder)), blank)
    if len(by_split) < 2:
        return collection
    split_of = {name: split for split, part in by_split.items() for name in part}
    splits = tuple(split_of[name] for name in collection.queries.ids)
    return replace(collection, queries=replace(collection.queries, splits=splits, own_splits=True))


def joined_text(title: object, text: object) -> str:
    """A document as one text: the title before it, unless it begins with the title."""
    title, text = str(title or "").strip(), str(text or "").strip()
    return text if not title or text.startswith(title) else f"{title}\n{text}".strip()


def _texts(path: Path) -> tuple[Examples, int]:
    """The texts of a file, and how many of its lines have none."""
    rows = [_row(row) for row in jsonl_rows(path)]
    full = [row for row in rows if row.values["text"]]
    if not full:
        raise BadInput(f"{path}: no line has a text; expected objects with _id and text")
    return tabulated(path, full), len(rows) - len(full)


def _row(row: Row) -> Row:
    """As other readers know it; of what else a line holds only plain labels are kept."""
    name = label(row.values.get("_id"), row.where)
    if name is None:
        raise BadInput(f"{row.where}: no _id in the object; expected one that the judgements name")
    plain: dict[str, object] = {
        k: v for k, v in row.values.items() if isinstance(v, str | int | float) and k not in OURS
    }
    return Row(row.where, plain | {"id": name, "text": joined_text(row.values.get("title"), row.values.get("text"))})


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    graded: dict[str, dict[str, int]] = defaultdict(dict)
    for row in csv_rows(path):
        if set(QRELS) - set(row.values):
            raise BadInput(f"{path}: the header is {', '.join(row.values)}; expected {', '.join(QRELS)}")
        query, document, score = (str(row.values[name]) for name in QRELS)
        graded[query][document] = grade(score, row.where)
    return graded


def grade(text: str, where: str) -> int:
    """A grade of relevance: a whole number, for evaluation tools know no other; 1.0 is one.

    Raises:
        BadInput: it is none. Cutting 1.9 to 1 and 0.9 to 0 would change what is relevant.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise BadInput(f"{where}: the grade is {text!r}; expected a whole number: repair the line, or round all grades")
    return int(number)


def _splits(files: dict[str, dict], folder: Path) -> dict[str, dict]:
    """Dev and test where both are there; else all judgements together."""
    if not files:
        raise BadInput(f"{folder / 'qrels'}: no *.tsv; expected judgements with {', '.join(QRELS)}")
    named = {SPLITS[stem]: part for stem, part in files.items() if stem in SPLITS}
    dev = named.get("dev") or named.get("train")
    if dev and "test" in named:
        return {"dev": {name: part for name, part in dev.items() if name not in named["test"]}, "test": named["test"]}
    return {"all": {name: graded for part in files.values() for name, graded in part.items()}}
