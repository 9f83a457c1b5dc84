"""Two published sets of mention pairs, read as pairs of a candidate and a pronoun with the label yes or no.

GAP (Webster et al. 2018, "Mind the GAP: a balanced corpus of gendered ambiguous pronouns"): a `.tsv` whose header
has `Pronoun-offset`. Each text gives two pairs, name A and name B with the pronoun; its group is its page.

WinoBias (Zhao et al. 2018, "Gender bias in coreference resolution"): `pro_stereotyped_type1.txt.dev` and its like.
The file marks the right occupation only. The lines come in twos with the same two occupations, one marked in each, so
the other line says which words are the wrong candidate. A file is read together with its counterpart of the other
stereotype if that lies beside it: with both, the gender of the pronoun says nothing. The group is the two occupations.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from latentmech.data.examples import MENTION, Examples, Span, marked, unmarked
from latentmech.data.files import read_text
from latentmech.data.table import Row, csv_rows, tabulated

WINOBIAS = re.compile(r"(pro|anti)_stereotyped_type[12]\.txt\.(dev|test)")
GAP = ("ID", "Text", "Pronoun", "Pronoun-offset", "A", "A-offset", "A-coref", "B", "B-offset", "B-coref", "URL")


def coreference_reader(path: Path) -> Callable[[Path], Examples] | None:
    """The reader for one of these sets, if the file is one."""
    if WINOBIAS.fullmatch(path.name):
        return read_winobias
    if path.suffix.lower() == ".tsv" and set(GAP) <= set(read_text(path).split("\n", 1)[0].split("\t")):
        return read_gap
    return None


def read_gap(path: Path) -> Examples:
    """Two pairs a text. Square brackets in a text are read as round ones, for they mark mentions here."""
    pairs = [pair for row in csv_rows(path) for pair in _gap_pairs(row.where, row.values)]
    return tabulated(path, pairs)


def _gap_pairs(where: str, values: dict[str, object]) -> Iterator[Row]:
    cells = {name: str(value) for name, value in values.items()}
    text = cells["Text"].replace("[", "(").replace("]", ")")

    def span(name: str) -> Span:
        start = int(cells[f"{name}-offset"])
        return start, start + len(cells[name])

    for name in ("A", "B"):
        label = "yes" if cells[f"{name}-coref"].upper() == "TRUE" else "no"
        pair = marked(text, sorted([span(name), span("Pronoun")]))
        yield Row(where, {"id": f"{cells['ID']}/{name}", "marked": pair, "label": label, "group": cells["URL"]})


def read_winobias(path: Path) -> Examples:
    """A right and a wrong pair a sentence; sentences whose wrong candidate cannot be found are left out and noted."""
    kind, _, rest = path.name.partition("_")
    other = path.with_name(f"{'anti' if kind == 'pro' else 'pro'}_{rest}")
    files = [path, other] if other.exists() else [path]
    rows = [row for file in files for row in _winobias_rows(file)]
    found = tabulated(path, [row for row in rows if row.values])
    lost = sum(not row.values for row in rows)
    notes = [f"{path.name} was read together with {other.name}" if len(files) > 1 else f"no {other.name} beside {path}"]
    notes += [f"{lost} sentences of {path.name} were left out: no second candidate was found"] if lost else []
    return replace(found, notes=tuple(notes))


def _winobias_rows(path: Path) -> Iterator[Row]:
    """Two rows for every line; one without values for a line that cannot be used."""
    lines = [line.strip().partition(" ")[2] for line in read_text(path).split("\n") if line.strip()]
    for number, (own, sibling) in enumerate(zip(lines, _siblings(lines), strict=True), start=1):
        where = f"{path}:{number}"
        text, mentions = unmarked(own)
        right, wrong = _occupation(own), _occupation(sibling)
        at = re.search(rf"\b(?:the |a |an )?{re.escape(wrong)}\b", text, re.IGNORECASE) if wrong else None
        if len(mentions) < 2 or right == wrong or at is None:
            yield Row(where, {})
            continue
        group, name = "+".join(sorted((right, wrong))), f"{path.name.split('_')[0]}-{number}"
        pairs = {"yes": mentions[:2], "no": sorted([at.span(), mentions[1]])}
        for label, spans in pairs.items():
            pair = marked(text, spans)
            yield Row(where, {"id": f"{name}/{label}", "marked": pair, "label": label, "group": group})


def _siblings(lines: list[str]) -> Iterator[str]:
    """The other line of each line's two; a last line without one gets nothing."""
    for i, line in enumerate(lines):
        partner = i + 1 if i % 2 == 0 else i - 1
        yield lines[partner] if partner < len(lines) else line


def _occupation(line: str) -> str:
    """The first marked mention without its article, in lower case."""
    found = re.search(MENTION, line)
    return re.sub(r"^(the|a|an) ", "", found[1].lower()) if found else ""
