"""Sweeps whose jobs end in every way there is, launchers, and the signal by which a scheduler ends a run."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import QUICK, ROOT, invoke
from hydra.core.plugins import Plugins

from latentmech.report import print_sweep
from latentmech.run.sweep import LOST, _look_into_the_queue, wait_for_all

LAUNCHERS = {
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
    "ray_cluster": "ray",
}
SWEEP = ["-m", "probe=tense", *QUICK, "probe.method=mass_mean,ridge,lda"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_launcher_is_listed():
    assert {path.stem for path in (ROOT / "conf" / "hydra" / "launcher").glob("*.yaml")} == set(LAUNCHERS)
    assert "hydra/launcher: joblib, ray, ray_cluster, submitit_local, submitit_slurm" in invoke("--help")[1]


def installed(plugin):
    return bool(importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(f"hydra_plugins.{plugin}"))


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_builds_on_its_plugin_or_names_what_to_install(name):
    code, out, err = invoke("probe=pos", f"hydra/launcher={name}", "--cfg", "hydra", "--package", "hydra.launcher")
    if importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(
        f"hydra_plugins.hydra_{LAUNCHERS[name]}_launcher"
    ):
        assert code == 0 and "_target_: hydra_plugins." in out and "deprecated" not in err, err
    else:
        extra = "ray" if "ray" in name else "launchers"
        assert code == 2 and f"pip install 'latentmech[{extra}]'" in err, err


def test_a_launcher_that_gives_up_leaves_a_table_of_what_ran_and_what_did_not(tmp_path, monkeypatch):
    launcher = Plugins.instance().class_name_to_class["hydra._internal.core_plugins.basic_launcher.BasicLauncher"]
    launch = launcher.launch

    def give_up(self, job_overrides, initial_job_idx):
        launch(self, job_overrides[:1], initial_job_idx)
        raise RuntimeError("a worker died")

    monkeypatch.setattr(launcher, "launch", give_up)
    code, out, err = invoke(*SWEEP)
    assert code == 1 and "a worker died" in err
    assert "2 of 3 jobs failed" in out and out.count("never began") == 2
    assert len([*tmp_path.glob("sweeps/*/*/run.json")]) == 1


def test_a_sweep_that_cannot_be_composed_has_no_table(tmp_path):
    code, out, err = invoke(*SWEEP, "probe.metod=3")
    assert code == 2 and "probe.metod" in err and "jobs" not in out


def test_every_job_of_a_sweep_is_known_by_its_command(tmp_path):
    own = ["probe=tense,number", *QUICK, "probe.method=mass_mean", "probe.layers=[0,1],[2]", 'model.name="a, b"']
    code, out, err = invoke("-m", *own)
    assert code == 0 and "4 jobs done, none failed" in out, err + out


def test_a_job_that_says_it_runs_after_the_sweep_was_killed(tmp_path, capsys):
    for name, status in (("0_a", "done"), ("1_b", "running"), ("2_c", "interrupted (143)"), ("summary", "running")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"command": name, "status": status}))
    assert print_sweep(tmp_path, asked=["0_a", "1_b", "2_c", "3_d"]) == 3
    out = capsys.readouterr().out
    assert "3 of 4 jobs failed" in out
    for number, status in (("1_b", "killed"), ("2_c", "interrupted (143)"), ("3", "never began")):
        assert any(line.split()[0] == number and status in line for line in out.splitlines() if line.strip()), out


def test_submitit_waits_for_the_others_when_a_job_is_lost(monkeypatch, capsys):
    submitit = pytest.importorskip("submitit")

    class Job(submitit.Job):
        def __init__(self, end):
            self.end = end

        def wait(self):
            raise self.end

    monkeypatch.setattr(submitit.Job, "results", submitit.Job.results)  # put back afterwards
    wait_for_all("hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher")
    assert Job(submitit.core.utils.UncompletedJobError("no output\nstate CANCELLED")).results() == [LOST]
    assert "a job was lost: no output state CANCELLED" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        Job(KeyboardInterrupt()).results()


def test_a_job_that_left_slurms_queue_unseen_by_accounting_was_cancelled(monkeypatch):
    slurm = pytest.importorskip("submitit.slurm.slurm")
    monkeypatch.setattr(
        slurm.SlurmInfoWatcher, "get_state", lambda watcher, job_id, mode: {"7_1": "RUNNING"}.get(job_id, "PENDING")
    )
    answers = iter([(0, "7_1 7_2"), (1, "")])

    def run(command, **options):
        code, out = next(answers)
        return subprocess.CompletedProcess(command, code, out, "")

    monkeypatch.setattr("latentmech.run.sweep.subprocess.run", run)
    _look_into_the_queue()
    watcher = slurm.SlurmInfoWatcher()
    watcher._registered = {"7_1", "7_2", "7_3"}
    states = [watcher.get_state(name) for name in ("7_1", "7_2", "7_3")]
    assert states == ["RUNNING", "PENDING", "CANCELLED"]
    watcher._registered.add("8")
    assert watcher.get_state("8") == "PENDING"  # SLURM does not answer: nothing is known


def test_sigterm_ends_a_run_with_its_status_and_the_same_command_goes_on(tmp_path):
    settings = [*QUICK, "probe.data.limit=2000", "activations.shard_rows=10", "hydra.run.dir=run"]
    command = [sys.executable, "-m", "latentmech.run", "probe=tense", *settings]
    options = {"env": os.environ | {"LATENTMECH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}}

    def shards():
        return {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/activations/*/shard-*.safetensors")}

    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, **options)
    while process.poll() is None and len(shards()) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "the same command goes on" in err, err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted (143)"
    before = shards()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"
    after = shards()
    assert 5 <= len(before) < len(after) and all(after[path] == time for path, time in before.items())
