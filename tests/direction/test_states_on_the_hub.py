"""Activations go to the hub and come back, in processes of their own: the client reads where it is when imported."""

import os
import subprocess
import sys

import pytest
from fake_hub import FakeHub

ELSEWHERE = """
import sys
from latentmech.activations import ActivationStore
from latentmech.data import Corpus
from latentmech.errors import LatentmechError
from latentmech.model import Local, Model, Tiny, levels_of
act, root = sys.argv[1:]
try:
    if act == "push":
        model, store = Model(name="tiny", source=Tiny()), ActivationStore(root=root, push="hub:me/kindness")
    else:
        nowhere = Model(name="elsewhere", source=Local(path="/nowhere"))
        model, store = ActivationStore(source="hub:me/kindness").opened(nowhere)
    rows = store.get(model, Corpus(limit=100)(), levels_of(3))
    print(model.name, rows.n_rows, float(rows.stack().double().sum()))
    if act == "push":
        print(store.publish(model))
except LatentmechError as error:
    print(error)
"""


@pytest.fixture
def hub(request):
    with FakeHub(**getattr(request, "param", {})) as hub:
        yield hub
        hub.shutdown()


def elsewhere(hub, tmp_path, act):
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_x"}
    environment |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", ELSEWHERE, act, str(tmp_path / "store")]
    return subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout.splitlines()


def test_states_are_pushed_and_read_without_the_model(hub, tmp_path):
    states, where = elsewhere(hub, tmp_path, "push")
    assert where.startswith(f"activations: {hub.url}/me/kindness/commit/")
    assert {"activations.json", "README.md", "model/config.json", "model/tokenizer.json"} <= set(hub.files)
    assert "hub:me/kindness" in hub.files["README.md"].decode()
    assert elsewhere(hub, tmp_path, "read") == [states]


@pytest.mark.parametrize("hub", [{"private": False}], indirect=True)
def test_a_public_repository_is_refused(hub, tmp_path):
    assert elsewhere(hub, tmp_path, "push")[-1] == "hub:me/kindness is there and public; name another repository"
    assert not hub.files


def test_a_hub_that_lacks_it_is_one_line(hub, tmp_path):
    said = elsewhere(hub, tmp_path, "read")
    assert len(said) == 1
    assert "activations.source=hub:me/kindness" in said[0]
