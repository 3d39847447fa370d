"""Serves the built web app: hashed files for ever, the page itself asked after each time, its routes by fallback."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.context import context_of
from backend.api.errors import MethodNotAllowed, NoSuchPage, problem

IMMUTABLE = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
HASHED = re.compile(r"/assets/.+-[A-Za-z0-9_-]{8,}\.\w+")
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
# Paths of the server: an unknown one is an error to be seen, never the web app.
RESERVED = ("/api", "/auth", "/ws", "/healthz", "/readyz", "/metrics", "/problems", "/assets")

# Pages that are for whoever has their address: no search engine lists them, and no other site hears of them.
SHARED = "/shared/"
UNLISTED = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tidemark: the web app is not built</title>
<h1>The web app is not built yet</h1>
<p>The API answers, but there are no files of the web app. Build them, then reload this page:</p>
<pre>cd frontend
npm ci
npm run build</pre>
<p><code>./scripts/run</code> does this by itself.</p>
</html>
"""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One built file, with its compressed twins, in memory."""

    content: bytes
    compressed: Mapping[str, bytes]
    media_type: str
    digest: str
    caching: str


class WebApp:
    """An ASGI app over the folder that the build leaves; a new build is picked up by itself."""

    def __init__(self, folder: Path, *, policy: str) -> None:
        self._folder = folder
        self._policy = policy
        self._assets: Mapping[str, Asset] = {}
        self._built_at: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> ASGIApp:
        path, headers = scope["path"], Headers(scope=scope)
        context_of(scope).route = "web assets" if path.startswith("/assets/") else "web"
        if _is_reserved(path) and not path.startswith("/assets/"):
            return problem(NoSuchPage(f"Nothing lives at {path}."), scope)
        if scope["method"] not in ("GET", "HEAD"):
            error = MethodNotAllowed(f"{path} answers GET and HEAD, not {scope['method']}.")
            return problem(error, scope, headers={"Allow": "GET, HEAD"})
        self._look()
        asset = self._assets.get("/index.html" if path == "/" else path)
        if asset is None and not _is_reserved(path) and (path == "/" or _is_navigation(headers)):
            asset = self._assets.get("/index.html")
            if asset is None:
                return HTMLResponse(
                    NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store", "Retry-After": "10"}
                )
        if asset is None:
            return problem(NoSuchPage(f"Nothing lives at {path}."), scope)
        return self._response(asset, headers, UNLISTED if path.startswith(SHARED) else {})

    def _response(self, asset: Asset, request: Headers, more: Mapping[str, str]) -> Response:
        encoding = _encoding(request.get("accept-encoding", ""), asset)
        # Each encoding is a representation of its own, with a tag of its own.
        etag = f'"{asset.digest}"' if encoding is None else f'"{asset.digest}-{encoding}"'
        headers = {"Cache-Control": asset.caching, "ETag": etag, "Content-Security-Policy": self._policy, **more}
        if asset.compressed:
            headers["Vary"] = "Accept-Encoding"
        held = request.get("if-none-match", "")
        if held == "*" or etag in [tag.strip().removeprefix("W/") for tag in held.split(",")]:
            return Response(status_code=304, headers=headers)
        if encoding is None:
            return Response(asset.content, media_type=asset.media_type, headers=headers)
        headers["Content-Encoding"] = encoding
        return Response(asset.compressed[encoding], media_type=asset.media_type, headers=headers)

    def _look(self) -> None:
        try:
            built_at: int | None = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            built_at = None
        if built_at != self._built_at:
            self._assets = _read(self._folder) if built_at is not None else {}
            self._built_at = built_at


def _read(folder: Path) -> dict[str, Asset]:
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    twins = {f"{name}{suffix}" for name in files for _, suffix in ENCODINGS}
    return {name: _asset(name, path) for name, path in files.items() if name not in twins}


def _asset(name: str, path: Path) -> Asset:
    content = path.read_bytes()
    media_type = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    twins = {encoding: path.with_name(path.name + suffix) for encoding, suffix in ENCODINGS}
    return Asset(
        content=content,
        compressed={encoding: twin.read_bytes() for encoding, twin in twins.items() if twin.is_file()},
        media_type=media_type,
        digest=hashlib.sha256(content).hexdigest()[:16],
        caching=IMMUTABLE if HASHED.fullmatch(name) else ASK_EACH_TIME,
    )


# Not left to the machine's own table, which may lack them or know them by older names.
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def _encoding(accepted: str, asset: Asset) -> str | None:
    offered = {}
    for part in accepted.split(","):
        name, _, parameters = part.strip().partition(";")
        offered[name.strip().lower()] = parameters.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name, _ in ENCODINGS if name in asset.compressed and offered.get(name, False)), None)


def _is_reserved(path: str) -> bool:
    return any(path == reserved or path.startswith(f"{reserved}/") for reserved in RESERVED)


def _is_navigation(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")
