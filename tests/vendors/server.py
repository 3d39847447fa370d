"""A small HTTP server that speaks for a vendor, and fails on request: statuses, silence, cut and dripping bodies."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the vendor says; `body` is JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    silent_seconds: float = 0.0  # before it says anything
    cut: bool = False  # the connection ends in the middle of the body
    drip_seconds: float = 0.0  # between one byte and the next
    header_drips: bool = False  # headers follow each other for ever

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Fault = Reply | Callable[[Reply], Reply]


class VendorServer:
    """`answers` maps a request to what a sound vendor replies; `disturb` puts something else in their place."""

    def __init__(self, answers: Callable[[Request], Reply], *, disturbed: str) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self.was_asked = threading.Event()
        self._disturbed = disturbed
        self._faults: dict[str, list[Fault]] = {}
        self._stopped = threading.Event()
        self.url = ""

    def disturb(self, *faults: Fault, for_path: str | None = None) -> None:
        """For the next requests whose path is, or has, these words: a reply, or what becomes of the sound one."""
        self._faults.setdefault(for_path or self._disturbed, []).extend(faults)

    def asked(self, part: str) -> list[Request]:
        return [request for request in self.requests if part in request.path]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        self.was_asked.set()
        for part, faults in self._faults.items():
            if faults and (request.path == part or (len(part) > 1 and part in request.path)):
                fault = faults.pop(0)
                return fault if isinstance(fault, Reply) else fault(self.answers(request))
        return self.answers(request)

    @contextmanager
    def running(self) -> Iterator["VendorServer"]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                request = Request(
                    path=parts.path, query=dict(parse_qsl(parts.query)), headers=dict(self.headers), at=time.monotonic()
                )
                try:
                    self._send(vendor.reply(request))
                except OSError:  # the client had enough
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815

            def _send(self, reply: Reply) -> None:
                if vendor._stopped.wait(reply.silent_seconds) and reply.silent_seconds:
                    raise OSError
                content = reply.content
                self.send_response_only(reply.status)  # without a date of its own
                while reply.header_drips:
                    self.send_header("X-Wait", "a little longer")
                    self.flush_headers()
                    if vendor._stopped.wait(0.2):
                        raise OSError
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if reply.cut:
                    self.wfile.write(content[: len(content) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                elif reply.drip_seconds:
                    for byte in content:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if vendor._stopped.wait(reply.drip_seconds):
                            raise OSError
                else:
                    self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests tell what they need by themselves."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            server.shutdown()
            server.server_close()
            thread.join()


def bar_values(start_seconds: int) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume of the bar that begins then, the same for whoever asks."""
    seed = (start_seconds // 60 * 2_654_435_761) % 2**32
    opened = 100.0 + seed % 1000 / 100
    close = 100.0 + seed // 1000 % 1000 / 100
    return opened, max(opened, close) + seed % 7 / 10, min(opened, close) - seed % 5 / 10, close, 1.0 + seed % 97
