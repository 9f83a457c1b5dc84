"""A W&B server on the loopback interface: online mode runs for real, and nothing leaves the machine.

Unless told otherwise it knows nothing of artifacts, so a `wandb.Table` fails here: a test wants it so.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

RUN = {
    "id": "UnVuOjE=",
    "name": "run1",
    "displayName": "run-1",
    "historyLineCount": 0,
    "project": {"id": "p1", "name": "latentmech", "entity": {"id": "e1", "name": "me"}},
}
ANSWERS = {
    "upsertBucket": {"bucket": RUN, "inserted": True},
    "viewer": {"id": "u1", "username": "me", "entity": "me", "flags": "{}", "teams": {"edges": []}},
    "serverInfo": {"cliVersionInfo": {}, "latestLocalVersionInfo": None, "features": []},
    "createRunFiles": {"runID": "run1", "uploadHeaders": [], "files": []},
}


class FakeServer(ThreadingHTTPServer):
    """Answers as little as the client needs, and keeps what was streamed to it."""

    def __init__(self, knows_artifacts: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.knows_artifacts = knows_artifacts
        self.artifacts: list[dict] = []
        self.committed: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.upserts: list[dict] = []
        self.streamed: dict[str, list[dict]] = {}
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/file_stream"):
            self.keep(json.loads(body).get("files") or {})
        self.answer({"data": self.graphql(json.loads(body))} if self.path.endswith("/graphql") else {})

    def keep(self, files: dict) -> None:
        for name, chunk in files.items():
            self.server.streamed.setdefault(name, []).extend(map(json.loads, chunk["content"]))

    def graphql(self, body: dict) -> dict:
        if "upsertBucket" in body["query"]:
            self.server.upserts.append(body["variables"])
            RUN["name"] = body["variables"]["name"] or RUN["name"]
        answers = {name: answer for name, answer in ANSWERS.items() if name in body["query"]}
        if "createRunFiles" in answers:
            files = [{"name": f, "uploadUrl": f"{self.server.url}/put/{f}"} for f in body["variables"]["files"]]
            answers["createRunFiles"] = ANSWERS["createRunFiles"] | {"files": files}
        if self.server.knows_artifacts and "rtifact" in body["query"]:
            answers |= self.about_artifacts(body["query"], body["variables"])
        return answers

    def about_artifacts(self, query: str, variables: dict) -> dict:
        """Sequence of the client: is the name free, create, manifest, files, manifest, commit."""
        field = query.split("{")[1].split("(")[0].strip()
        if field == "createArtifact":
            self.server.artifacts.append(variables["input"])
            sequence = {"id": "s1", "latestArtifact": None}
            return {field: {"artifact": {"id": "a1", "state": "PENDING", "artifactSequence": sequence}}}
        if field.endswith("ArtifactManifest"):
            return {field: {"artifactManifest": {"id": "m1", "file": self.place("manifest")}}}
        if field == "createArtifactFiles":
            files = [file["name"] for file in variables["input"]["artifactFiles"]]
            return {field: {"files": {"edges": [{"node": self.place(file)} for file in files]}}}
        if field == "commitArtifact":
            self.server.committed.append(variables["artifactID"])
            return {field: {"artifact": {"id": "a1", "digest": ""}}}
        return {field: None}

    def place(self, name: str) -> dict:
        names = {"id": name, "name": name, "displayName": name, "storagePath": name, "artifact": {"id": "a1"}}
        return names | {"uploadUrl": f"{self.server.url}/put/{name}", "uploadHeaders": [], "uploadMultipartUrls": None}

    def do_PUT(self) -> None:
        self.server.uploads[self.path.removeprefix("/put/")] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({})

    def answer(self, obj: dict) -> None:
        data = json.dumps(obj).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""
