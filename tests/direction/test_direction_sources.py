"""Directions from files, W&B and the hub, and to the hub."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fake_hub import FakeHub
from made import made

from latentmech.direction import Direction
from latentmech.direction.formats import export_gguf
from latentmech.direction.sources import load_direction, model_card, push_to_hub
from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.statistics import Estimate

ELSEWHERE = """
import sys
from latentmech.direction import Direction
from latentmech.direction.sources import load_direction, push_to_hub
from latentmech.errors import LatentmechError

def load(where):
    direction = load_direction(where)
    return f"{direction.hook_name} {direction.vector.numpy().tobytes().hex()}"

path, act, *arguments = sys.argv[1:]
for argument in arguments:
    try:
        print(load(argument) if act == "load" else push_to_hub(Direction.load(path), argument))
    except LatentmechError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture
def direction(tiny):
    return made(tiny)


@pytest.fixture
def saved(direction, tmp_path):
    direction.save(tmp_path / "kindness.safetensors")
    return tmp_path / "kindness.safetensors"


@pytest.fixture
def hub(request):
    with FakeHub(**getattr(request, "param", {})) as hub:
        yield hub
        hub.shutdown()


def elsewhere(hub, saved, act, *arguments):
    """What it says, a line each, in a process of its own: the client reads where the hub is when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(saved.parent / "hf"), "HF_TOKEN": "hf_x"}
    environment |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", ELSEWHERE, str(saved), act, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout.splitlines()


def test_from_a_path(direction, saved, tmp_path):
    assert torch.equal(load_direction(str(saved)).vector, direction.vector)
    export_gguf(direction, tmp_path / "kindness.gguf")
    torch.testing.assert_close(load_direction(str(tmp_path / "kindness.gguf")).vector, direction.vector)


def test_what_is_not_there_is_told_with_what_can_be_given(tmp_path):
    with pytest.raises(BadInput, match=r"direction /nowhere/d.safetensors is not there; expected .*hub:owner/repo"):
        load_direction("/nowhere/d.safetensors")
    with pytest.raises(BadInput, match="is not there"):
        load_direction(str(tmp_path))


def test_there_and_back_over_the_hub(direction, saved, hub):
    (url,) = elsewhere(hub, saved, "push", "me/kindness")
    assert url.startswith(f"{hub.url}/me/kindness")
    assert hub.created[0]["name"] == "kindness" and "private" in (hub.created[0].get("visibility"), *hub.created[0])
    assert set(hub.files) == {"kindness.safetensors", "kindness.json", "README.md"}
    assert hub.files["kindness.safetensors"] == saved.read_bytes()
    names = ("", f"@{hub.commit}", "/kindness.safetensors", f"@{hub.commit}/kindness.safetensors")
    expected = f"{direction.hook_name} {direction.vector.numpy().tobytes().hex()}"
    assert elsewhere(hub, saved, "load", *(f"hub:me/kindness{name}" for name in names)) == [expected] * 4


def test_the_hub_names_what_is_missing_or_ambiguous(saved, hub):
    hub.files = {"a.safetensors": saved.read_bytes(), "b.safetensors": saved.read_bytes(), "run.py": b"exit()"}
    asked = ("hub:me/kindness", "hub:me/kindness/c.safetensors")
    ambiguous, missing = elsewhere(hub, saved, "load", *asked)
    assert ambiguous.startswith(
        f"BadInput direction {asked[0]} holds 2 safetensors files (a.safetensors, b.safetensors)"
    )
    assert missing == f"BadInput direction {asked[1]}: there is no c.safetensors; name a file of the repository"
    assert not list((saved.parent / "hf").rglob("run.py")), "nothing but safetensors and JSON is fetched"


def test_a_file_that_was_damaged_on_the_way_is_refused(saved, hub):
    hub.files = {"k.safetensors": saved.read_bytes(), "k.json": json.dumps({"sha256": "0" * 64}).encode()}
    (said,) = elsewhere(hub, saved, "load", "hub:me/kindness/k.safetensors")
    assert said.startswith("IntegrityError")


@pytest.mark.parametrize("hub", [{"private": False}], indirect=True)
def test_a_public_repository_is_no_place_for_a_private_direction(saved, hub):
    (said,) = elsewhere(hub, saved, "push", "me/kindness")
    assert said.startswith("BadInput hub:me/kindness is there and public")
    assert not hub.files


def test_an_unreachable_hub_costs_one_line(direction):
    with pytest.raises(ResourceError, match=r"hub:me/no@v1 is neither cached nor reachable \(HF_HUB_OFFLINE is set\)"):
        load_direction("hub:me/no@v1")
    with pytest.raises(
        ResourceError, match=r"cannot push to hub:me/kindness \(\w+: .*\); run `hf auth login`"
    ) as error:
        push_to_hub(direction, "me/kindness")
    assert "\n" not in str(error.value)


def test_whatever_the_network_throws_is_one_line(direction, monkeypatch):
    class ConnectError(Exception):
        """As in httpx: no OSError."""

    def refuse(*args, **settings):
        raise ConnectError("refused\nand more")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    with pytest.raises(ResourceError, match=r"cannot push to hub:me/kindness \(ConnectError: refused\)"):
        push_to_hub(direction, "me/kindness")


@pytest.mark.parametrize("where", ["hub:kindness", "hub:me/kindness/model.pt", "hub:me/kind@a@b", "hub:"])
def test_an_address_that_is_none_is_refused(where):
    with pytest.raises(BadInput, match=r"is not understood; expected hub:owner/repo\[@revision\]"):
        load_direction(where)


def test_from_a_wandb_artifact(direction, saved, monkeypatch):
    asked = []
    monkeypatch.setattr("latentmech.report.fetch_artifact", lambda name: asked.append(name) or saved.parent)
    loaded = load_direction("wandb:me/latentmech/kindness:v2")
    assert asked == ["me/latentmech/kindness:v2"] and torch.equal(loaded.vector, direction.vector)
    direction.save(saved.with_name("second.safetensors"))
    with pytest.raises(BadInput, match=r"holds 2 safetensors files \(kindness.safetensors, second.safetensors\)"):
        load_direction("wandb:me/latentmech/kindness:v2")
    with pytest.raises(BadInput, match="wandb:kindness is not understood; expected wandb:entity/project/name:version"):
        load_direction("wandb:kindness")


def test_a_damaged_file_is_refused_wherever_it_comes_from(saved):
    data = bytearray(saved.read_bytes())
    data[-5] ^= 1
    saved.write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        load_direction(str(saved))


def test_the_model_card_says_what_how_and_under_which_licence(direction):
    card = {**direction.card, "method": "lda", "bibtex": "@misc{x}", "data": {"source": "refusal.jsonl"}}
    card |= {"scores": {"test_auroc": vars(Estimate(0.9, 0.8, 0.95, kind="95% interval")), "random_p95": 0.7}}
    text = model_card(replace(direction, card=card), "me/kindness")
    assert text.startswith("---\nlicense: apache-2.0\n")
    for part in ("# kindness", "**tiny**", direction.hook_name, "- method: lda", "- texts: refusal.jsonl", "@misc{x}"):
        assert part in text
    assert "- AUROC on test: 0.900 [0.800, 0.950]" in text


def test_the_lines_in_the_model_card_load_it(direction, saved, monkeypatch):
    from latentmech.direction import sources

    monkeypatch.setattr(sources, "_snapshot", lambda repo, revision, wanted: Path(saved).parent)
    code = model_card(direction, "me/kindness").split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    assert isinstance(names["direction"], Direction)
    assert len(code.strip().splitlines()) == 3


def test_a_card_with_nothing_in_it_makes_a_page_too(direction):
    text = model_card(replace(direction, card={"name": "a b/c"}), "me/x")
    assert "license: other" in text and "`a_b_c.json`" in text and "- not recorded" in text
