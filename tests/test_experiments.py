"""Every experiment carries what it expects; on the real model it has to come out."""

import json

import pytest
from commands import ROOT, invoke

EXPERIMENTS = sorted(path.parent.name for path in (ROOT / "experiments").glob("*/expected.json"))

# Fewer controls, texts and test requests than the published run has: they take most of its time. What no bound of
# `expected.json` looks at is least: the completions of a sweep and its neutral text.
UNSEEN = ["steering.n_tokens=1", "steering.neutral_words=100"]
FEWER = {
    "pos_across_layers": ["probe.control_seeds=1", "probe.shuffles=0", "probe.code_length=false"],
    "refusal_is_one_direction": [
        *UNSEEN,
        "steering.strengths=[-1,0,1]",
        "steering.kl_tokens=1",
        "steering.random=1",
        "steering.exchanged=0",
        "steering.trials.limit=4",
        "steering.direction.selection.limit=4",
        "steering.necessity.neutral_words=300",
        "steering.necessity.n_random=0",
        "steering.necessity.n_isotropic=0",
        "steering.necessity.dev_limit=16",
        "steering.necessity.test_limit=16",
    ],
    "sycophancy_dose_response": [
        *UNSEEN,
        "steering.direction.data.limit=120",
        "steering.layer=23",
        "steering.random=1",
        "steering.exchanged=0",
        "steering.trials.limit=12",
        "steering.strengths=[-0.5,0,0.25,0.5]",
    ],
}


def expected(name):
    return json.loads((ROOT / "experiments" / name / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_its_preset_and_says_what_it_claims(name):
    readme = (ROOT / "experiments" / name / "README.md").read_text()
    assert (ROOT / "conf" / "experiment" / f"{name}.yaml").is_file()
    for word in ("Claim", f"+experiment={name}", "differ", "change our mind"):
        assert word in readme
    assert all(bound["tolerance"] > 0 for bound in expected(name).values())


@pytest.mark.real
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_real_model_does_what_is_expected(name, real_model, machine_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "geometry_over_training":
        if not (trained := ROOT / "runs" / "checkpoints").is_dir():
            pytest.skip("there are no checkpoints: scripts/train_checkpoints.py runs/checkpoints makes them")
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "checkpoints").symlink_to(trained)
    with machine_cache():
        code, _, err = invoke(f"+experiment={name}", "report=console", *FEWER.get(name, []))
    assert code == 0, err
    metrics = json.loads(next(tmp_path.glob("runs/*-*/*/metrics.json")).read_text())
    for metric, bound in expected(name).items():
        assert metrics[metric] == pytest.approx(bound["value"], abs=bound["tolerance"]), metric
