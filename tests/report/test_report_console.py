import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from latentmech.report import Table, print_report

LONG = Path("/scratch/" + "very_long_folder_name/" * 10 + "report.html")


def printed(report, files=None, **how):
    console = Console(file=io.StringIO(), color_system=None, **how)
    print_report(report, files or {}, console)
    return console.file.getvalue()


def wide(report, text="ridge [not markup]"):
    names = [f"column_number_{i}" for i in range(8)]
    frame = pd.DataFrame([[text, *[i + 0.12345 for i in range(8)]]], columns=["method", *names])
    return replace(
        report,
        tables={
            "t": Table(title="Wide", frame=frame),
            "second": report.tables["levels"],
            "third": Table(title="Third", frame=frame),
        },
    )


def test_the_answer_comes_first_and_the_files_last(report):
    out = printed(report, {"report": Path("out/report.html")})
    order = [report.title, report.headline, "Accuracy by level", "0.800", *report.notes, "out/report.html"]
    places = [out.index(text) for text in order]
    assert places == sorted(places)


def test_a_log_file_gets_whole_tables_on_one_line(report):
    out = printed(wide(report))
    line = next(line for line in out.splitlines() if line.startswith("ridge"))
    assert line.split() == ["ridge", "[not", "markup]", *[f"{i + 0.12345:.3f}" for i in range(8)]]
    assert "…" not in out


def test_at_80_columns_nothing_is_cut(report):
    out = printed(
        wide(report, "a method with a name of much more than thirty-two characters"), force_terminal=True, width=80
    )
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    assert all(f"column_number_{i}" in out and f"{i + 0.12345:.3f}" in out for i in range(8))


def test_paths_are_never_broken(report):
    assert str(LONG) in printed(report, {"report": LONG}, force_terminal=True, width=80)
    assert "'/a b/report.html'" in printed(report, {"report": Path("/a b/report.html")}), "quoted for a shell"


def test_only_the_first_two_tables_are_printed(report):
    out = printed(wide(report))
    assert "Wide" in out
    assert "Accuracy by level" in out
    assert "Third" not in out


def test_a_report_without_tables_or_notes(report):
    assert printed(replace(report, tables={}, notes=())).split("\n")[1] == report.headline
