"""A vLLM server that is running already, asked over HTTP: the same rows, logits and tokens as the reference."""

import os
import socket
import subprocess
import sys
import time

import httpx
import pytest
import torch

from latentmech.errors import BadInput, ResourceError
from latentmech.model import Addition, Model, Request, Scope, engine_of, levels_of, made, pad, text_rows, tokenise
from latentmech.model.vllm.server import Server
from latentmech.model.vllm.wire import from_json, packed, to_json, unpacked


def test_what_goes_through_json_comes_back():
    tensor = torch.randn(3, 4, dtype=torch.bfloat16)
    said = from_json(to_json({"rows": [packed(tensor)], "n": 3, "none": None}))
    assert torch.equal(unpacked(said["rows"][0]), tensor) and said["n"] == 3 and said["none"] is None


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ResourceError, match=r"model.url=http://127.0.0.1:9 cannot be reached"):
        Server("http://127.0.0.1:9").version  # noqa: B018


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A tiny Llama behind a real server; the folder and the URL."""
    pytest.importorskip("vllm", reason="scripts/venv vllm installs it")
    from hosted import written

    folder = written(tmp_path_factory.mktemp("served"), "llama")
    port, log = free_port(), tmp_path_factory.mktemp("log") / "server"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--port", f"{port}"),
        *("--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager", "--no-enable-prefix-caching"),
        *("--kv-cache-memory-bytes", f"{2**27}", "--max-model-len", "128"),
        *("--worker-extension-cls", "latentmech.model.vllm.worker.LatentmechExtension"),
    ]
    own = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_PLUGINS": "none", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | own) as server:
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + 240
            while not _answers(url):
                assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
                time.sleep(0.5)
            yield folder, url
        finally:
            server.terminate()


def _answers(url):
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_a_server_says_what_the_reference_says(served):
    from latentmech.model import Local

    folder, url = served
    reference = Model(source=Local(path=str(folder)))
    own = Model(source=Local(path=str(folder)), engine="vllm", url=url)
    assert own.identity["engine"]["version"].startswith("0.")
    texts = ["the king saw a small cat", "a dog", "the queen and the king saw the old river"]
    tokens = tokenise(reference, texts, texts)
    names = tuple(level.hook_name for level in levels_of(reference.n_layers))
    found = []
    for model in (reference, own):
        asked = Request(model=model, tokens=tokens, rows=text_rows(tokens), hook_names=names, pooling="mean")
        rows = torch.empty(len(names), len(texts), reference.d_model)
        engine_of(model).read(asked, [2, 0, 1], rows.unbind())
        found.append(rows)
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
    batch, post = pad(tokens.ids, 0, "left", torch.device("cpu")), "blocks.1.hook_resid_post"
    variants = [{}, {post: Addition(torch.ones(reference.d_model))}]
    for scope in (Scope(), Scope(prompt=False)):
        both = [engine_of(model).generate(variants, batch, 5, stop=(), scope=scope) for model in (reference, own)]
        for expected, given in zip(*both, strict=True):
            assert torch.equal(given.ids, expected.ids)
            torch.testing.assert_close(given.first_logits, expected.first_logits, rtol=1e-4, atol=1e-4)


def test_another_precision_than_the_servers_is_refused(served):
    from latentmech.model import Local

    folder, url = served
    with pytest.raises(BadInput, match=r"another precision than bfloat16"):
        made(Model(source=Local(path=str(folder)), engine="vllm", url=url, dtype="bfloat16")).open()
