"""The report in a terminal: the answer, the first tables, the caveats, and where the rest is."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from latentmech.report.cells import column_cells, columns_of, is_numeric, visible
from latentmech.report.report import Report, Table

PIPE_WIDTH = 200  # in a log file nothing needs to be cut
WIDEST_TEXT = 32  # characters of a text cell before it is folded
PRINTED = 2  # tables that go to the terminal; the rest is in the report
GUTTER = 3  # blanks from one column to the next


def print_report(report: Report, files: Mapping[str, Path], console: Console | None = None) -> None:
    """Print the answer before the evidence, and paths that can be copied as they stand."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPE_WIDTH)
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.headline, style="green"))
    for table in list(report.tables.values())[:PRINTED]:
        print_table(console, table)
    if report.notes:
        grid = RichTable.grid(padding=(0, 1))  # a hanging indent
        for note in report.notes:
            grid.add_row(Text("note", style="yellow"), Text(note, overflow="fold"))
        console.print(grid)
    console.print()
    for name, path in files.items():  # one line each: a path with a line break in it cannot be copied
        line = Text.assemble((name.ljust(max(map(len, files))), "bold"), "  ", shlex.quote(str(path)))
        console.print(line, soft_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Columns that do not fit go into further blocks below, each beginning with the first column again."""
    frame = visible(table.frame)
    console.print(Text(f"\n{table.title}", style="bold"))
    for block in blocks(list(map(_width, columns_of(frame))), console.width + GUTTER):
        console.print(_grid(frame.iloc[:, block]))
        console.print()
    if table.caption:
        console.print(Text(table.caption + "\n", style="dim"))


def blocks(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Positions of the columns that fit side by side into `room` characters."""
    block = [0]
    for i in range(1, len(widths)):
        if len(block) > 1 and sum(widths[j] for j in [*block, i]) > room:
            yield block
            block = [0]
        block.append(i)
    yield block


def _width(column: pd.Series) -> int:
    """Characters a column takes; a long text is folded, a number never."""
    longest = max(map(len, [str(column.name), *column_cells(column)]))
    return GUTTER + (longest if is_numeric(column) else min(longest, WIDEST_TEXT))


def _grid(frame: pd.DataFrame) -> RichTable:
    grid = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    columns = columns_of(frame)
    for column in columns:
        number, width = is_numeric(column), _width(column) - GUTTER
        justify: Literal["right", "left"] = "right" if number else "left"
        grid.add_column(Text(str(column.name)), justify=justify, no_wrap=number, overflow="fold", max_width=width)
    for row in zip(*map(column_cells, columns), strict=True):
        grid.add_row(*map(Text, row))
    return grid
