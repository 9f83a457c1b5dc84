"""TREC files: documents and topics in tags, judgements in four columns (trec.nist.gov/data/qrels_eng).

    <doc><docno>67</docno><title>…</title><text>…</text></doc>
    <top><num> Number: 401 <title> foreign minorities, Germany …</top>
    401 0 FBIS3-10009 1                     topic, iteration, document, relevance

The tags are SGML, older than XML and often not closed, so they are found one by one. What a file holds is seen from its
beginning, whatever its name. Some collections, Cranfield among them, number the judgements by a topic's place in the
file and not by its `<num>`, which has gaps: `numbering=position` reads those.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from html import unescape
from pathlib import Path

from latentmech.data.beir import grade, joined_text
from latentmech.data.collection import Collection, collection_of, with_blanks
from latentmech.data.examples import Examples
from latentmech.data.files import read_text
from latentmech.data.table import Row, tabulated
from latentmech.errors import BadInput

KINDS = {"documents": "<doc>", "topics": "<top>", "judgements": "four columns"}
CLOSED = {
    tag: re.compile(rf"<{tag}>(.*?)</{tag}>", re.DOTALL | re.IGNORECASE) for tag in ("doc", "docno", "text", "top")
}
OPEN = {tag: re.compile(rf"<{tag}>(.*?)(?=<|\Z)", re.DOTALL | re.IGNORECASE) for tag in ("num", "title")}
LABELS = re.compile(r"^\s*(Number|Topic)\s*:", re.IGNORECASE)


def read_trec(folder: Path, numbering: str = "id") -> Collection:
    """Read the documents, topics and judgements of a folder; a document without text is left out.

    Args:
        numbering: `id`: judgements name a topic's number; `position`: its place in the file, counted from 1.

    Raises:
        BadInput: a kind of file is missing, or judgements name topics that are not there.
    """
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        files[kind_of(path)].append(path)
    for kind, sign in KINDS.items():
        if not files[kind]:
            raise BadInput(f"{folder}: no file with {kind} ({sign}); expected {', '.join(KINDS)}, or a BEIR folder")
    found = [row for path in files["documents"] for row in _tagged(path, "document", _document)]
    documents = _examples(folder, found)
    topics = [row for path in files["topics"] for row in _tagged(path, "topic", _topic)]
    judgements = _judgements(files["judgements"])
    if numbering == "position":
        topics = [Row(row.where, row.values | {"id": str(i)}) for i, row in enumerate(topics, start=1)]
    elif strange := set(judgements) - {str(row.values["id"]) for row in topics}:
        seen = f"{folder}: {len(strange)} judged topics are not among the {len(topics)} topics"
        raise BadInput(f"{seen}; if judgements count topics by their place, set retrieval.data.numbering=position")
    collection = collection_of(documents, _examples(folder, topics), judgements, str(folder))
    return with_blanks(collection, len(found) - len(documents))


def kind_of(path: Path) -> str:
    """`documents`, `topics`, `judgements` or `other`."""
    beginning = path.read_bytes()[:4096].decode(errors="replace").lower()
    tagged = beginning.lstrip().startswith("<")  # and is no page about such files
    if tagged and "<doc>" in beginning:
        return "documents"
    if tagged and "<top>" in beginning:
        return "topics"
    return "judgements" if re.match(r"\S+\s+\S+\s+\S+\s+-?\d+(\.\d*)?\s*(\n|\Z)", beginning) else "other"


def _examples(folder: Path, rows: list[Row]) -> Examples:
    return tabulated(folder, [row for row in rows if row.values["text"]])


def _tagged(path: Path, what: str, read: Callable[[str, str], Row]) -> list[Row]:
    return [read(f"{path}, {what} {i}", body) for i, body in enumerate(CLOSED[what[:3]].findall(read_text(path)), 1)]


def _document(where: str, body: str) -> Row:
    number = CLOSED["docno"].search(body)
    if number is None:
        raise BadInput(f"{where}: no <docno>; expected the name that the judgements use")
    title = OPEN["title"].search(body)
    text = " ".join(_plain(part) for part in CLOSED["text"].findall(body))
    return Row(where, {"id": number[1].strip(), "text": joined_text(_plain(title[1]) if title else "", text)})


def _topic(where: str, body: str) -> Row:
    number, title = OPEN["num"].search(body), OPEN["title"].search(body)
    if number is None or title is None:
        raise BadInput(f"{where}: no <num> or no <title>; expected both in every topic")
    return Row(where, {"id": LABELS.sub("", number[1]).strip(), "text": _plain(LABELS.sub("", title[1]))})


def _plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def _judgements(paths: list[Path]) -> dict[str, dict[str, int]]:
    graded: dict[str, dict[str, int]] = defaultdict(dict)
    for path in paths:
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            cells = line.split()
            if cells and len(cells) != 4:
                raise BadInput(f"{path}:{number}: {len(cells)} columns; expected topic, iteration, document, relevance")
            if cells:
                graded[cells[0]][cells[2]] = grade(cells[3], f"{path}:{number}")
    return graded
