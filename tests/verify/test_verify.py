"""`verify=model` says of every check how it ended, and ends as its model deserves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from commands import invoke, quick
from transformers import AutoModelForCausalLM, AutoTokenizer, GPTNeoXConfig, OPTConfig

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.model import Check, Tiny
from latentmech.model.road import Road
from latentmech.verify import VerifySettings, VerifyStudy
from latentmech.verify.account import account_of
from latentmech.verify.findings import VerifyFindings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_check_is_in_the_table_and_in_the_numbers(tmp_path):
    code, out, err = invoke("verify=model", *quick("verify"), "hydra.run.dir=run")
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["verify/failed"] == 0
    assert len(metrics) == metrics["verify/checks"] + 2 > 16
    for name in ("states, padded left", "strength 0 changes no bit", "generation, with a cache"):
        assert name in out
    assert metrics["verify/strength_0_changes_no_bit"] == 0
    assert "computes what plain transformers computes, in all of" in out


def some(**own) -> Check:
    return Check(**{"name": "states, one text", "level": "layer_01", "size": 1e-7, "tolerance": 1e-4, "need": ""} | own)


BROKEN = some(size=0.5)
ROUND = some(name="states, with a cache", level="no cache", size=float("nan"), need="cache")


@pytest.mark.parametrize(
    ("checks", "headline", "failure"),
    [
        ([some()], "in all of 1 checks", ""),
        ([some(), ROUND], "passes 1 of 2 checks", ""),
        (
            [ROUND, BROKEN],
            "does not compute .* off by 5.0e-01 at layer_01",
            "tiny: “states, one text” is off by 5.0e-01",
        ),
    ],
)
def test_the_answer_follows_from_the_checks(tiny, checks, headline, failure):
    study = VerifyStudy(n_tokens=2)
    report = account_of(study, replace(study.find(tiny, ActivationStore()), checks=checks), tiny)
    import re

    assert re.search(headline, report.headline)
    assert report.failure.startswith(failure) and bool(report.failure) == bool(failure)
    frame = report.tables["checks"].frame
    assert frame["passed"].tolist() == ["yes" if check.passed else "NO" for check in checks]
    assert report.metrics["verify/failed"] == sum(not check.passed for check in checks)
    if ROUND in checks:
        assert frame["then"].tolist()[checks.index(ROUND)].startswith("every step of a generation")
        assert any("could not be measured" in note for note in report.notes)


def test_a_model_that_fails_ends_with_its_code_after_the_table(tmp_path, monkeypatch):
    from latentmech.verify import study

    monkeypatch.setattr(study, "every_check", lambda model, truth: (BROKEN,))
    code, out, err = invoke("verify=model", *quick("verify"), "hydra.run.dir=run")
    assert code == 3
    assert "NO" in out and err.strip().startswith("latentmech: tiny: “states, one text” is off by 5.0e-01 at layer_01,")
    assert (tmp_path / "run" / "report.html").is_file()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed (3)"


def test_texts_of_one_length_are_refused():
    with pytest.raises(BadInput, match="several of different lengths"):
        VerifySettings(texts=["abc", "def"])


@pytest.mark.real
def test_the_default_model_computes_what_plain_transformers_computes(real_model):
    found = VerifyStudy().find(real_model, ActivationStore())
    assert [check for check in found.checks if not check.passed] == []
    assert all(Path(real_model.checkpoint.folder).iterdir())


@pytest.fixture
def random_folder(tmp_path):
    """A small random model of some class of transformers, under the tiny model's tokenizer."""

    def make(config):
        folder = tmp_path / "folder"
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(Tiny()().folder).save_pretrained(folder)
        return ["model=local", f"model.source.path={folder}", "report=console"]

    return make


def test_resid_mid_of_parallel_blocks_is_refused_in_a_line(random_folder):
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    model = random_folder(GPTNeoXConfig(**sizes, vocab_size=259))
    code, _, err = invoke("probe=number", *model, "probe.site=resid_mid", "probe.data.limit=2000")
    assert code == 2
    assert "run attention and MLP side by side and have no resid_mid; try resid_post" in err


def test_a_lens_behind_a_projection_is_refused_before_states_are_collected(random_folder, monkeypatch):
    from latentmech.geometry.lens import study

    sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 259}
    model = random_folder(OPTConfig(**sizes, word_embed_proj_dim=16, do_layer_norm_before=False))
    monkeypatch.setattr(study, "places_in", lambda *args: 1 / 0)
    code, _, err = invoke("geometry=lens", *model, "geometry.tokens=100")
    assert code == 2
    assert err.count("states cannot be read through the head of") == 1 and "project_out" in err


def test_the_slow_road_is_said_in_every_report(tiny):
    slow = replace(tiny)
    slow.seen["road"] = Road(left_padding=False, cache=False)
    found = VerifyFindings(checks=[some()], lengths=[3, 4], n_tokens=2)
    notes = account_of(VerifyStudy(), found, slow).notes
    assert sum("padded on the right" in note or "runs the whole text" in note for note in notes) == 2
    assert not any("runs the whole text" in note for note in account_of(VerifyStudy(), found, tiny).notes)
