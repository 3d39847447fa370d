"""A small HTTP server that speaks as Supabase Storage does: buckets, and files written, read, listed and removed."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from backend.domain.ports import Clock

SECRET_KEY = "sb_secret_of_a_test_that_opens_nothing"
_PREFIX = "/storage/v1/"


@dataclass
class StorageServer:
    """What the project holds: buckets with whether they are public, files with when they were written."""

    clock: Clock
    buckets: dict[str, bool] = field(default_factory=dict)
    files: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    largest_bytes: int = 50_000_000
    # Answers that come before all others.
    faults: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator["StorageServer"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.faults:
            return self.faults.pop(0)
        if headers["Authorization"] != f"Bearer {SECRET_KEY}" or headers["apikey"] != SECRET_KEY:
            return _refusal("403", "Unauthorized", "Invalid Compact JWS")
        match method, path.removeprefix(_PREFIX).split("/", 2):
            case "GET", ["bucket", name]:
                return self._bucket(name)
            case "POST", ["bucket"]:
                return self._make_bucket(json.loads(body))
            case "POST", ["object", "list", name]:
                return self._within(name, lambda: self._list(name, json.loads(body)))
            case "POST", ["object", name, key]:
                return self._within(name, lambda: self._write(name, key, headers, body))
            case "GET", ["object", name, key]:
                return self._within(name, lambda: self._read(name, key))
            case "DELETE", ["object", name]:
                return self._within(name, lambda: self._remove(name, json.loads(body)["prefixes"]))
        return _refusal("404", "not_found", f"Route {method}:{path} not found")

    def _within(self, name: str, answer: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
        return answer() if name in self.buckets else _refusal("404", "Bucket not found", "Bucket not found")

    def _bucket(self, name: str) -> tuple[int, Any]:
        if name not in self.buckets:
            return _refusal("404", "Bucket not found", "Bucket not found")
        now = self.clock.now().isoformat()
        told = {"id": name, "name": name, "owner": "", "public": self.buckets[name], "created_at": now}
        return 200, {**told, "updated_at": now, "file_size_limit": None, "allowed_mime_types": None}

    def _make_bucket(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked["id"] in self.buckets:
            return _refusal("409", "Duplicate", "The resource already exists")
        self.buckets[asked["id"]] = bool(asked.get("public", False))
        return 200, {"name": asked["id"]}

    def _write(self, name: str, key: str, headers: Any, body: bytes) -> tuple[int, Any]:
        if (name, key) in self.files and headers["x-upsert"] != "true":
            return _refusal("409", "Duplicate", "The resource already exists")
        content = _file_in(headers["Content-Type"], body)
        if len(content) > self.largest_bytes:
            return _refusal("413", "Payload too large", "The object exceeded the maximum allowed size")
        self.files[name, key] = content, self.clock.now().isoformat()
        return 200, {"Id": "1", "Key": f"{name}/{key}"}

    def _read(self, name: str, key: str) -> tuple[int, Any]:
        if (name, key) not in self.files:
            return _refusal("404", "not_found", "Object not found")
        return 200, self.files[name, key][0]

    def _remove(self, name: str, keys: list[str]) -> tuple[int, Any]:
        gone = [key for key in keys if self.files.pop((name, key), None) is not None]
        return 200, [{"name": key} for key in gone]

    def _list(self, name: str, asked: dict[str, Any]) -> tuple[int, Any]:
        """One level below a prefix; what has more below it is a folder, which has no id and no times."""
        prefix = f"{asked['prefix'].strip('/')}/" if asked["prefix"] else ""
        found: dict[str, dict[str, Any]] = {}
        for (bucket, key), (content, at) in self.files.items():
            if bucket != name or not key.startswith(prefix):
                continue
            first, _, below = key.removeprefix(prefix).partition("/")
            times = {"id": None if below else key, "updated_at": None if below else at}
            found[first] = {"name": first, **times, "metadata": None if below else {"size": len(content)}}
        page = sorted(found.values(), key=lambda one: one["name"])
        return 200, page[asked["offset"] : asked["offset"] + asked["limit"]]


def _refusal(status: str, error: str, message: str) -> tuple[int, Any]:
    """Its own status stands in the body; the response has 400."""
    return 400, {"statusCode": status, "error": error, "message": message}


def _file_in(content_type: str, body: bytes) -> bytes:
    """The file of a form; its other fields say how long it may be cached."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    (part,) = (one for one in form.iter_parts() if one.get_filename() is not None)
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _handler(storage: StorageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = storage.answer(self.command, unquote(urlsplit(self.path).path), self.headers, body)
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream" if said is content else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
