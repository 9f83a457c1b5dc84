import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import latentmech
from latentmech.report import ROW_COLUMNS, write_run
from latentmech.report.report import references
from latentmech.storage import plain
from latentmech.tensors import load_tensors


@pytest.fixture
def folder(report, tmp_path) -> Path:
    write_run(tmp_path, report, "command", "seed: 1\n", {"wall": 1.5, "path": Path("a"), "seed": np.int64(3)})
    return tmp_path


def test_every_promised_file_is_there_and_nothing_else(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        *("metrics.json", "results.parquet", "report.html", "config.yaml", "run.json", "tables/levels.csv"),
        *("figures/levels.png", "figures/confusion.png"),
        *("directions/NOUN.safetensors", "directions/NOUN.json"),
    }


def test_the_returned_paths_exist(report, tmp_path):
    files = write_run(tmp_path, report, "", "", {})
    assert {"report", "metrics", "results", "figures", "tables", "directions"} <= set(files)
    assert all(path.exists() for path in files.values())


def test_a_picture_is_drawn_once(report, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("latentmech.report.report.png", lambda figure: drawn.append(figure) or b"png")
    for name in ("run", "again"):
        write_run(tmp_path / name, report, "", "", {})
    assert drawn == [picture.figure for picture in report.pictures.values()]


def test_metrics_are_flat_sorted_and_without_nan(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {"probe/best_layer": 1, "probe/dev/accuracy": 0.93, "probe/selectivity": None}
    assert list(metrics) == sorted(metrics)


def test_rows_come_back_from_parquet_as_they_went(folder):
    frame = pd.read_parquet(folder / "results.parquet")
    assert tuple(frame.columns) == tuple(ROW_COLUMNS)
    assert frame["layer"].tolist() == ["embed", "0", "1", "2", "1"]
    assert frame["value"].tolist()[:3] == [0.71, 0.8, 0.93]
    assert frame["value"].isna().tolist() == [False, False, False, True, False]
    assert frame["seed"].dropna().tolist() == [1]


@pytest.mark.parametrize("rows", [(), ({"study": "probe", "layer": 3, "n": 7},)])
def test_column_types_do_not_depend_on_the_rows(report, tmp_path, rows):
    write_run(tmp_path, replace(report, rows=rows), "", "", {})
    schema = pq.read_schema(tmp_path / "results.parquet")
    types = {name: str(schema.field(name).type).removeprefix("large_") for name in schema.names}
    numbers = dict.fromkeys(["strength", "value", "ci_low", "ci_high"], "double")
    numbers |= dict.fromkeys(["seed", "n", "groups"], "int64")
    assert types == dict.fromkeys(ROW_COLUMNS, "string") | numbers


def test_provenance_joins_the_run_and_the_report(folder):
    facts = json.loads((folder / "run.json").read_text())
    assert facts == {"model": {"fingerprint": "abc"}, "wall": 1.5, "path": "a", "seed": 3}
    assert (folder / "config.yaml").read_text() == "seed: 1\n"


def test_artifacts_and_tables_keep_raw_numbers(folder):
    tensors, card = load_tensors(folder / "directions/NOUN.safetensors")
    assert (tensors["vector"].tolist(), card) == ([1.0] * 4, {"layer": 1})
    assert pd.read_csv(folder / "tables/levels.csv")["accuracy"].tolist()[:3] == [0.71, 0.8, 0.93]


def test_plain_leaves_only_what_json_can_hold():
    value = {"a": (np.float32(0.5), float("inf")), 1: {"x"}, "p": Path("b"), "t": True}
    assert plain(value) == {"a": [0.5, None], "1": ["x"], "p": "b", "t": True}
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)


def test_every_work_that_is_cited_has_an_entry_and_every_entry_is_cited():
    cited = set()
    for path in Path(latentmech.__file__).parent.rglob("*.py"):
        strings = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        cited |= {one for one in strings if isinstance(one, str) and re.fullmatch(r"[a-z]+(19|20)\d\d[a-z]*", one)}
    assert cited == set(references()) and len(cited) > 50
    for key, entry in references().items():
        assert re.fullmatch(r"@\w+\{" + key + r",\n(  \w+ = \{.+\},?\n){4}\}", entry), entry
