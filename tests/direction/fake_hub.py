"""A model hub on the loopback interface: as much of it as an upload in one commit and a download need."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class FakeHub(ThreadingHTTPServer):
    """Holds the files of one repository."""

    def __init__(self, private: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.private = private
        self.created: list[dict] = []
        self.files: dict[str, bytes] = {}
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def commit(self) -> str:
        """Another one whenever a file changes."""
        return oid(repr(sorted(self.files.items())).encode())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            return self.answer({"url": f"{self.server.url}/me/kindness"})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            kinds = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
            return self.answer({"files": kinds})
        if self.path == "/api/validate-yaml":  # the head of the README
            return self.answer({"errors": [], "warnings": []})
        for line in map(json.loads, body.splitlines()):  # a commit
            if line["key"] == "file":
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        url = f"{self.server.url}/me/kindness/commit/{self.server.commit}"
        return self.answer({"commitUrl": url, "commitOid": self.server.commit, "hookOutput": ""})

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/me/kindness/tree/"):
            files = [{"type": "file", "path": n, "size": len(d), "oid": oid(d)} for n, d in self.server.files.items()]
            return self.answer(files)
        if self.path.startswith("/api/models/me/kindness"):
            siblings = [{"rfilename": name} for name in self.server.files]
            facts = {
                "id": "me/kindness",
                "sha": self.server.commit,
                "private": self.server.private,
                "siblings": siblings,
            }
            return self.answer(facts)
        data = self.server.files.get(self.path.partition(f"/resolve/{self.server.commit}/")[2])
        if data is None:
            return self.answer({"error": "not found"}, 404)
        return self.send(data, {"ETag": f'"{oid(data)}"', "X-Repo-Commit": self.server.commit})

    do_HEAD = do_GET

    def answer(self, obj: object, status: int = 200) -> None:
        self.send(json.dumps(obj).encode(), {"Content-Type": "application/json"}, status)

    def send(self, data: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


def oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
