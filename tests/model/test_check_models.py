"""`scripts/check-models`: one row is made, and the table that is committed hides nothing."""

import csv
import importlib.util

import pytest
from commands import ROOT

TABLE = ROOT / "experiments" / "models"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_models", ROOT / "scripts" / "check_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("llama", "right"),
        ("gpt_neox", "right; no resid_mid"),
        ("rwkv", "right; no left padding; no cache; no attn_out; no mlp_out; ablation refused"),
        ("openai-gpt", "refused: openai-gpt does not compute here"),
    ],
)
def test_a_row_says_what_is_so(script, name, verdict, tmp_path):
    row = script.row_of(name, tmp_path)
    assert row["verdict"] == verdict or row["verdict"].startswith(f"{verdict} ")
    assert (row["as run"] == "") == (verdict.startswith("refused"))
    assert not row["as run"] or float(row["as run"]) < 1e-4
    assert bool(row["what is done"]) == (name != "llama")


def test_what_runs_wrong_is_called_so(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "run_again", lambda model, truth: 0.5)
    assert script.row_of("llama", tmp_path)["verdict"] == "SILENTLY WRONG"


def test_every_architecture_in_the_table_is_right_or_refused(script):
    with (TABLE / "models.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["architecture"] for row in rows} == {*script.TYPES.split(), *script.FORMS}
    assert len(rows) > 80
    assert {row["verdict"].split(";")[0].split(":")[0] for row in rows} == {"right", "refused"}
    assert all(float(row["as run"]) < 1e-4 for row in rows if row["verdict"].startswith("right"))
    readme = (TABLE / "README.md").read_text()
    assert all(f"| {row['architecture']} |" in readme for row in rows)
    assert "torch 2" in readme and "transformer-lens 4" in readme
