"""A vLLM server that is running already, with the worker extension in it: `model.url`.

    VLLM_SERVER_DEV_MODE=1 VLLM_PLUGINS=none python -m vllm.entrypoints.openai.api_server --model FOLDER \\
        --dtype float32 --enforce-eager --no-enable-prefix-caching \\
        --worker-extension-cls latentmech.model.vllm.worker.LatentmechExtension

Requests there carry scalars and lists only: plans travel as JSON, and tensors in it as base64. One run at a time: what
is wanted of it is state of the workers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

from latentmech.errors import BadInput, ResourceError, first_line
from latentmech.model.vllm.requests import KEY, VllmRequest
from latentmech.model.vllm.wire import from_json, to_json

AT_ONCE = 64  # requests on their way; the server puts them together
PATIENCE = 3600.0  # seconds for one answer


@dataclass(frozen=True)
class Server:
    """Asks over HTTP what `VllmEngine` asks vLLM in this process."""

    url: str

    @cached_property
    def version(self) -> str:
        """Of the vLLM that runs there."""
        return str(self._ask("GET", "/version")["version"])

    def call(self, method: str, *args: Any) -> list[Any]:
        """What every worker answers.

        Raises:
            BadInput: the server does not have the extension, or refuses.
            ResourceError: it cannot be reached.
        """
        asked = {"method": "latentmech_json", "args": [method, json.dumps(to_json(args))]}
        return [from_json(one["answer"]) for one in self._ask("POST", "/collective_rpc", asked)["results"]]

    def answers(self, asked: Sequence[VllmRequest], progress: Callable[[int], object] = int) -> list[list[int]]:
        """New tokens of each request, in order."""

        def answer(one: VllmRequest) -> list[int]:
            said = self._ask("POST", "/v1/completions", _body(one))["choices"][0]["token_ids"]
            progress(len(one.ids))
            return list(said)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(answer, asked))

    def _ask(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        import httpx

        try:
            response = httpx.request(verb, self.url.rstrip("/") + path, json=body, timeout=PATIENCE)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"model.url={self.url} cannot be reached ({first_line(error)})"
            raise ResourceError(f"{seen}; start the server as README.md says, or leave model.url out") from error
        if response.is_error:
            said = (response.text.splitlines() or [response.reason_phrase])[0][:200]
            raise BadInput(
                f"{self.url}{path} answers {response.status_code} ({said}); start the server with "
                "VLLM_SERVER_DEV_MODE=1, --enforce-eager and the worker extension that README.md names"
            )
        return response.json()


def _body(one: VllmRequest) -> dict[str, Any]:
    """A request as the server's API spells it."""
    plan = {"vllm_xargs": {KEY: json.dumps(one.plan)}} if one.plan else {}
    return {
        "prompt": [*one.ids], "max_tokens": one.n_tokens, "temperature": 0, "ignore_eos": True,
        "stop_token_ids": [*one.stop], "return_token_ids": True, "cache_salt": uuid4().hex,
    } | plan  # fmt: skip
