"""A stand-in for the Hugging Face hub on this machine: repositories in memory, of one user."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_the_test"  # noqa: S105 -- of this server alone


class Hub:
    """What the server has, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.large: dict[str, bytes] = {}  # by SHA-256
        self.asked: list[tuple[str, str]] = []
        self.received: list[bytes] = []  # bodies
        self.address = ""

    def commit(self, repository: str) -> str:
        """The name of the last commit: of its content."""
        content = sorted(self.files[repository].items())
        return hashlib.sha1(repr(content).encode(), usedforsecurity=False).hexdigest()


@contextmanager
def hub_server() -> Iterator[Hub]:
    """The hub until the block ends."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its name there
        pass

    def _answer(self, status: int, body: Any = b"", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.received.append(body)
        return body

    def _may(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:  # noqa: PLR0911 -- a line for each route
        self.hub.asked.append((self.command, self.path))
        path = self.path.partition("?")[0]
        if path == "/":
            return self._answer(200)
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = found or file
        repository, revision = (match[1], match[2] or "main") if match else ("", "")
        if repository not in self.hub.files or (
            self.hub.private.get(repository) and not self._may()
        ):
            return self._answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        files, commit = self.hub.files[repository], self.hub.commit(repository)
        if revision not in ("main", commit):
            return self._answer(404, {"error": "No revision"}, X_Error_Code="RevisionNotFound")
        if file is None and "/tree/" in path:
            listed = [_entry(name, content) for name, content in files.items()]
            return self._answer(200, listed)
        if file is None:
            return self._answer(200, _about(repository, commit, files))
        if file[3] not in files:
            return self._answer(404, {"error": "No file"}, X_Error_Code="EntryNotFound")
        content = files[file[3]]
        return self._answer(
            200,
            content,
            X_Repo_Commit=commit,
            ETag=f'"{hashlib.sha256(content).hexdigest()}"',
            Content_Length=str(len(content)),
        )

    def do_PUT(self) -> None:
        self.hub.asked.append((self.command, self.path))
        self.hub.large[self.path.rpartition("/")[2]] = self._body()
        self._answer(200)

    def do_POST(self) -> None:  # noqa: PLR0911 -- a line for each route
        self.hub.asked.append((self.command, self.path))
        body = self._body()
        if not self._may():
            return self._answer(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization', 'me')}/{asked['name']}"
            if name in self.hub.files:
                return self._answer(409, {"error": "exists", "url": f"{self.hub.address}/{name}"})
            self.hub.files[name] = {".gitattributes": b""}
            self.hub.private[name] = asked.get("visibility") == "private"
            return self._answer(200, {"url": f"{self.hub.address}/{name}"})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith("onnx") else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": files})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                one | {"actions": {"upload": {"href": f"{self.hub.address}/put/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self._answer(200, {"transfer": "basic", "objects": objects})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            return self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        return self._answer(404, {"error": self.path})

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        files = self.hub.files[repository]
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.large[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        commit = self.hub.commit(repository)
        url = f"{self.hub.address}/{repository}/commit/{commit}"
        self._answer(200, {"success": True, "commitOid": commit, "commitUrl": url})


def _about(repository: str, commit: str, files: dict[str, bytes]) -> dict[str, Any]:
    siblings = [{"rfilename": name} for name in files]
    return {"id": repository, "sha": commit, "siblings": siblings, "private": False, "tags": []}


def _entry(name: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": digest}
