import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import wandb
from fake_server import FakeServer

from latentmech.errors import ResourceError
from latentmech.report import ConsoleSink, WandbSink, write_run
from latentmech.report.sinks import fetch_artifact, resolve_mode

CONFIG = {"probe": {"seed": 1}}
VARIABLES = ["WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"]


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))  # copies of artifacts, until they are sent
    yield
    wandb.teardown()  # it reads its variables once a process


@pytest.fixture
def server(monkeypatch, request):
    with FakeServer(**getattr(request, "param", {})) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        yield server
        server.shutdown()


def synced_folder(line: str) -> Path:
    """The folder in the last line, as a shell would read it."""
    return Path(shlex.split(line.split("wandb sync ")[1])[0])


def test_mode_explicit_then_environment_then_key(monkeypatch, tmp_path):
    assert resolve_mode(None) == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "a" * 40)
    assert resolve_mode(None) == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert resolve_mode(None) == "offline", "that key is for another server"
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    assert resolve_mode(None) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert resolve_mode(None) == "offline"
    assert resolve_mode("online") == "online"


def test_offline_leaves_a_run_that_can_be_inspected_and_sent(report, tmp_path, capfd):
    (line,) = WandbSink(group="sweep", tags=("a",))(report, CONFIG, tmp_path / "a run")
    folder = synced_folder(line)
    assert folder.parent == tmp_path / "a run" / "wandb"
    assert capfd.readouterr() == ("", ""), "W&B itself says nothing"
    seen = inspect(folder)
    summary = {name: seen["summary"].get(name) for name in report.metrics}
    assert summary == json.loads(metrics_file(report, tmp_path).read_text())
    assert "probe/control/dev/accuracy" not in seen["summary"], "a curve's last value is no result"
    assert {"tables/levels", "figures/levels", "figures/confusion"} <= set(seen["summary"])
    assert seen["config"]["probe"] == {"seed": 1}


def inspect(folder: Path) -> dict:
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--summary", "--json", folder]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def metrics_file(report, tmp_path):
    return write_run(tmp_path / "files", report, "", "", {})["metrics"]


def test_online_curves_arrive_on_their_axis(report, tmp_path, server, capfd):
    sink = WandbSink(group="sweep", tags=("a",), job_type="probe")
    lines = sink(replace(report, tables={}, artifacts={}), CONFIG, tmp_path)
    assert lines == [f"W&B: {server.url}/me/latentmech/runs/{server.upserts[0]['name']}"]
    history = [row for row in server.streamed["wandb-history.jsonl"] if "depth" in row]
    for curve in report.curves:
        assert [(row["depth"], row[curve.name]) for row in history if curve.name in row] == list(
            zip(curve.steps, curve.values, strict=True)
        )
    assert len(history) == 3, "one row a step, with all metrics that have it"
    assert server.upserts[0]["groupName"] == "sweep"
    assert server.upserts[0]["tags"] == ["a"]
    assert server.upserts[0]["jobType"] == "probe"
    assert json.loads(server.upserts[0]["config"])["probe"]["value"] == {"seed": 1}
    assert capfd.readouterr() == ("", "")


def test_a_page_is_sent_as_it_is(report, tmp_path, server):
    page = "<!DOCTYPE html><html><head></head><body>\n<p>Straße</p>\n</body></html>\n"
    sent = replace(report, tables={}, artifacts={}, pages={"maps": page})
    assert WandbSink()(sent, CONFIG, tmp_path) == [f"W&B: {server.url}/me/latentmech/runs/{server.upserts[0]['name']}"]
    (entry,) = (row["pages/maps"] for row in server.streamed["wandb-history.jsonl"] if "pages/maps" in row)
    assert entry["_type"] == "html-file"
    assert server.uploads[entry["path"]].decode() == page


def test_every_number_sent_is_also_in_the_files(report, tmp_path, server):
    WandbSink()(replace(report, tables={}), CONFIG, tmp_path)
    on_disk = {*report.frame()["value"].dropna(), *report.metrics.values()}
    sent = [
        value for row in server.streamed["wandb-history.jsonl"] for name, value in row.items() if "accuracy" in name
    ]
    summary = server.streamed["wandb-summary.json"][-1]
    sent += [value for name, value in summary.items() if name.startswith("probe/") and value is not None]
    assert len(sent) == 7
    assert set(sent) <= on_disk


@pytest.mark.parametrize("server", [{"knows_artifacts": True}], indirect=True)
def test_a_direction_is_an_artifact_of_the_run(report, tmp_path, server):
    write_run(tmp_path, report, "", "", {})
    other = {"probes/pos.safetensors": report.artifacts["directions/NOUN.safetensors"]}
    sent = replace(report, tables={}, artifacts=report.artifacts | other)
    assert WandbSink()(sent, CONFIG, tmp_path) == [f"W&B: {server.url}/me/latentmech/runs/{server.upserts[0]['name']}"]
    (artifact,) = server.artifacts
    assert (artifact["artifactTypeName"], artifact["artifactCollectionName"]) == ("direction", "NOUN")
    assert artifact["runName"] == server.upserts[0]["name"], "the run it comes from"
    assert json.loads(artifact["metadata"]) == {"layer": 1}
    assert server.committed == ["a1"]
    for name in ("NOUN.safetensors", "NOUN.json"):
        assert server.uploads[name] == (tmp_path / "directions" / name).read_bytes()


def test_an_artifact_comes_back_into_the_cache(tmp_path, monkeypatch):
    class Artifact:
        qualified_name = "me/latentmech/NOUN:v3"

        def download(self, root):
            Path(root, "NOUN.safetensors").touch()
            return root

    class Api:
        def artifact(self, name):
            assert name == "me/latentmech/NOUN:latest"
            return Artifact()

    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path))
    monkeypatch.setattr(wandb, "Api", Api)
    folder = fetch_artifact("me/latentmech/NOUN:latest")
    assert folder == tmp_path / "artifacts/me/latentmech/NOUN_v3", "by its version: `latest` moves on"
    assert [path.name for path in folder.iterdir()] == ["NOUN.safetensors"]


def test_an_artifact_that_cannot_be_had_costs_one_line(server, monkeypatch):
    with pytest.raises(ResourceError, match=r"^cannot fetch wandb:me/latentmech/absent:v0 \(.+\); check the name"):
        fetch_artifact("me/latentmech/absent:v0")
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(ResourceError, match="needs a key; run `wandb login`"):
        fetch_artifact("me/latentmech/absent:v0")


def test_what_the_server_refuses_does_not_take_the_rest_along(report, tmp_path, server):
    failure, line = WandbSink()(report, CONFIG, tmp_path)
    assert failure.startswith("W&B upload is not complete")
    assert synced_folder(line).is_dir()
    assert any("probe/dev/accuracy" in row for row in server.streamed["wandb-history.jsonl"])


def test_an_unreachable_server_leaves_an_offline_run(report, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    reason, line = WandbSink(init_timeout=1.0)(report, CONFIG, tmp_path)
    assert reason.startswith("W&B online failed: ")
    assert reason.endswith("keeping the run offline")
    assert synced_folder(line).name.startswith("offline-run")


def test_online_without_a_key_does_not_ask(report, tmp_path):
    reason, line = WandbSink(mode="online")(report, CONFIG, tmp_path)
    assert "`wandb login`" in reason
    assert synced_folder(line).is_dir()


def test_an_impossible_setting_costs_a_line_and_not_the_run(report, tmp_path):
    (line,) = WandbSink(mode="offline", tags=("x" * 100,))(report, CONFIG, tmp_path)
    assert line.startswith("W&B offline failed: ")
    assert str(tmp_path) in line


def test_disabled_and_console_say_nothing(report, tmp_path):
    assert WandbSink(mode="disabled")(report, CONFIG, tmp_path) == []
    assert ConsoleSink()(report, CONFIG, tmp_path) == []
