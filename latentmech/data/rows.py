"""JSONL and CSV: one text per row, any other column a label. What both formats share is in `table.py`.

A row has `text`, or in JSONL `words`: a list of strings, beside which a label column may be a list as long.
Instead of `text` a row may have `marked`, a text with two mentions in brackets: `[Anna] said that [she] was late.`
`id`, `group` (or `document`) and `split` say what they say in `Examples`.
"""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from latentmech.data.examples import Examples
from latentmech.data.files import read_text
from latentmech.data.table import Row, tabulated
from latentmech.errors import BadInput, shown

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_jsonl(path: str | Path) -> Examples:
    """One JSON object per line; blank lines are passed over."""
    return tabulated(Path(path), jsonl_rows(Path(path)))


def read_csv(path: str | Path) -> Examples:
    """A header line, then one row per text; separated by commas, or by tabs if the file is a `.tsv`."""
    return tabulated(Path(path), csv_rows(Path(path)))


def jsonl_rows(path: Path) -> list[Row]:
    """The objects of a JSONL file."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [_json_row(f"{path}:{number}", line) for number, line in lines if line.strip()]


def json_rows(path: Path) -> list[Row]:
    """The objects of a JSON file that holds a list of them."""
    try:
        values = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        seen = f"broken JSON at column {error.colno} ({error.msg})"
        raise BadInput(f"{path}:{error.lineno}: {seen}; expected a list of objects: repair the file") from None
    if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
        raise BadInput(f"{path}: {shown(values)}; expected a list of objects, [{{…}}, …]: repair the file")
    return [Row(f"{path}, object {number}", value) for number, value in enumerate(values, start=1)]


def csv_rows(path: Path) -> list[Row]:
    """The rows of a CSV or TSV file by header name."""
    rows = list(_csv_rows(path))
    if not rows:
        raise BadInput(f"{path}: a header and no row under it; expected one row per text: check the export")
    return rows


def _json_row(where: str, line: str) -> Row:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        seen = f"broken JSON at column {error.colno} ({error.msg}) in {shown(line)}"
        raise BadInput(f"{where}: {seen}; expected one JSON object per line: repair the line") from None
    if not isinstance(values, dict):
        raise BadInput(f'{where}: {shown(values)} is no JSON object; expected {{"text": …}}: repair the line')
    return Row(where, values)


def _csv_rows(path: Path) -> Iterator[Row]:
    """Rows by header name; columns without a name, such as an exported index, are passed over."""
    delimiter = DELIMITERS.get(path.suffix.lower(), ",")
    lines = _csv_lines(path, delimiter)
    names = _header(*next(lines))
    for where, cells in lines:
        if len(cells) != len(names):
            seen = f"{len(cells)} fields in {shown(cells)}; expected {len(names)} as in the header"
            raise BadInput(f"{where}: {seen}: put quotes around a field that contains {delimiter!r}")
        yield Row(where, {name: cell for name, cell in zip(names, cells, strict=True) if name})


def _header(where: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in filter(None, names):
        if names.count(name) > 1:
            raise BadInput(f"{where}: the column {shown(name)} twice; expected unique names: rename one")
    return names


def _csv_lines(path: Path, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Non-blank records and where each starts: quoted text may run over several lines."""
    reader = csv.reader(StringIO(read_text(path)), delimiter=delimiter, strict=True)
    while True:
        where = f"{path}:{reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadInput(f"{where}: broken row ({error}); expected quotes in pairs: repair the row") from None
        if cells is None:
            return
        if cells:
            yield where, cells
