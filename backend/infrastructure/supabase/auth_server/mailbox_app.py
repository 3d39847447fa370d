"""The development mailbox for people and programs: Mailpit's API, and a plain page. For this machine only."""

import html
import re
import shlex
from collections.abc import Awaitable, Callable
from email.utils import parseaddr
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.infrastructure.supabase.auth_server import mailbox
from backend.infrastructure.supabase.auth_server.app import AuthServer
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.mailbox import Message, Search
from backend.infrastructure.supabase.auth_server.reading import read_fields
from backend.infrastructure.supabase.auth_server.shapes import moment
from backend.infrastructure.supabase.auth_server.user import Connection

MOST_PER_PAGE, DEFAULT_PER_PAGE = 200, 50
SNIPPET = 250
LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MAIL_POLICY = f"{PAGE_POLICY}; sandbox allow-popups allow-top-navigation-by-user-activation"

Handler = Callable[[Connection, Request], Awaitable[Response]]


def create_mailbox_app(server: AuthServer) -> ASGIApp:
    """Serve it on a loopback address of its own; it shares the pool of the auth server."""

    def route(path: str, handler: Handler, *methods: str) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                async with server.house.reading() as connection:
                    return await handler(connection, request)
            except AuthError as problem:
                return PlainTextResponse(problem.message, status_code=problem.status)

        return Route(path, endpoint, methods=list(methods) or ["GET"])

    app = Starlette(
        routes=[
            route("/", _index),
            route("/view/{message_id}.html", _view_html),
            route("/view/{message_id}", _view),
            route("/api/v1/info", _info),
            route("/api/v1/messages", _list),
            route("/api/v1/messages", _delete, "DELETE"),
            route("/api/v1/search", _search),
            route("/api/v1/message/{message_id}", _message),
        ]
    )
    return LoopbackOnly(app)


class LoopbackOnly:
    """Refuses requests that a web page elsewhere could have caused: foreign host names and foreign origins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            host_is_ours = LOOPBACK.fullmatch(headers.get("host", "")) is not None
            origin_is_ours = origin is None or LOOPBACK.fullmatch(origin.removeprefix("http://")) is not None
            if not host_is_ours or not origin_is_ours:
                refusal = PlainTextResponse("The mailbox answers to loopback names only.\n", status_code=403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _info(connection: Connection, request: Request) -> Response:
    total, unread = await mailbox.counts(connection)
    return JSONResponse({"Version": "tidemark", "Messages": total, "Unread": unread})


async def _list(connection: Connection, request: Request) -> Response:
    return await _found(connection, request, Search())


async def _search(connection: Connection, request: Request) -> Response:
    query = request.query_params.get("query", "").replace("\x00", "")
    if not query.strip():
        return PlainTextResponse("Error: no search query", status_code=400)
    return await _found(connection, request, parse_search(query))


async def _message(connection: Connection, request: Request) -> Response:
    message = await _read(connection, request)
    return JSONResponse(_whole(message)) if message else _missing()


async def _delete(connection: Connection, request: Request) -> Response:
    """The named messages, or all of them."""
    body = await read_fields(request, may_be_empty=True)
    ids = body.texts("IDs")
    await mailbox.delete(connection, ids)
    return PlainTextResponse("ok")


async def _index(connection: Connection, request: Request) -> Response:
    messages, total = await mailbox.find(connection, Search(), start=0, limit=MOST_PER_PAGE)
    rows = "".join(
        f"<tr{'' if message.is_read else ' class=new'}><td>{html.escape(message.recipient)}</td>"
        f'<td><a href="/view/{message.id}">{html.escape(message.subject)}</a></td>'
        f"<td><time>{message.created_at:%Y-%m-%d %H:%M:%S} UTC</time></td></tr>"
        for message in messages
    )
    table = f"<table><thead><tr><th>To<th>Subject<th>When</tr></thead><tbody>{rows}</tbody></table>"
    nothing = "<p>Nothing yet. Mails that Tidemark would send appear here, the newest first.</p>"
    return _page("Mailbox", f"<h1>Mailbox ({total})</h1>{table if messages else nothing}")


async def _view(connection: Connection, request: Request) -> Response:
    message = await _read(connection, request)
    if message is None:
        return _page("Not found", "<h1>There is no such mail</h1><p><a href='/'>All mails</a></p>", status=404)
    text = re.sub(r"https?://[^\s<>\"]+", lambda found: _anchor(found[0]), html.escape(message.text, quote=False))
    return _page(
        message.subject,
        f"<p><a href='/'>All mails</a></p><h1>{html.escape(message.subject)}</h1>"
        f"<p>To {html.escape(message.recipient)}, {message.created_at:%Y-%m-%d %H:%M:%S} UTC."
        f" <a href='/view/{message.id}.html'>As HTML</a></p><pre>{text}</pre>",
    )


async def _view_html(connection: Connection, request: Request) -> Response:
    message = await _read(connection, request)
    if message is None:
        return _missing()
    return HTMLResponse(message.html, headers=_headers(MAIL_POLICY))


async def _read(connection: Connection, request: Request) -> Message | None:
    message_id = str(request.path_params["message_id"]).replace("\x00", "")
    if message_id == "latest":
        message_id = await mailbox.newest_id(connection) or ""
    return await mailbox.read(connection, message_id)


async def _found(connection: Connection, request: Request, search: Search) -> Response:
    start = _number(request, "start", 0, 10**9)
    limit = _number(request, "limit", DEFAULT_PER_PAGE, MOST_PER_PAGE)
    messages, fitting = await mailbox.find(connection, search, start=start, limit=limit)
    total, unread = await mailbox.counts(connection)
    return JSONResponse(
        {
            "total": total,
            "unread": unread,
            "count": len(messages),
            "messages_count": fitting,
            "messages_unread": sum(not message.is_read for message in messages),
            "start": start,
            "tags": [],
            "messages": [_summary(message) for message in messages],
        }
    )


def parse_search(query: str) -> Search:
    try:
        terms = shlex.split(query)
    except ValueError:
        terms = query.split()
    found: dict[str, list[str]] = {"to": [], "from": [], "subject": [], "": []}
    for term in terms:
        name, colon, rest = term.partition(":")
        if colon and name.lower() in found and name:
            found[name.lower()].append(rest)
        else:
            found[""].append(term)
    return Search(
        to=tuple(found["to"]), sender=tuple(found["from"]), subject=tuple(found["subject"]), words=tuple(found[""])
    )


def _summary(message: Message) -> dict[str, Any]:
    return {
        "ID": message.id,
        "MessageID": f"{message.id}@tidemark.localhost",
        "Read": message.is_read,
        "From": _address(message.sender),
        "To": [_address(message.recipient)],
        "Cc": [],
        "Bcc": [],
        "ReplyTo": [],
        "Subject": message.subject,
        "Created": moment(message.created_at),
        "Username": "",
        "Tags": [],
        "Size": len(message.text) + len(message.html),
        "Attachments": 0,
        "Snippet": " ".join(message.text.split())[:SNIPPET],
    }


def _whole(message: Message) -> dict[str, Any]:
    summary = _summary(message)
    return {
        **{name: summary[name] for name in ("ID", "MessageID", "From", "To", "Cc", "Bcc", "ReplyTo", "Subject")},
        "ReturnPath": parseaddr(message.sender)[1],
        "ListUnsubscribe": {"Header": "", "Links": [], "Errors": "", "HeaderPost": ""},
        "Date": summary["Created"],
        "Tags": [],
        "Username": "",
        "Text": message.text,
        "HTML": message.html,
        "Size": summary["Size"],
        "Inline": [],
        "Attachments": [],
    }


def _address(text: str) -> dict[str, str]:
    name, address = parseaddr(text)
    return {"Name": name, "Address": address or text}


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    return min(int(text), most) if re.fullmatch(r"[0-9]{1,9}", text) else default


def _anchor(url: str) -> str:
    return f'<a href="{url.replace(chr(34), "%22")}" rel="noreferrer">{url}</a>'


def _missing() -> Response:
    return PlainTextResponse("Message not found", status_code=404)


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _page(title: str, body: str, status: int = 200) -> Response:
    style = (
        ":root{color-scheme:light dark;--text:light-dark(#131a22,#e6ebf2);--muted:light-dark(#4a5869,#9aa7b8);"
        "--line:light-dark(#d5dde6,#2a3543);--accent:light-dark(#1d5fd1,#6ca8ff)}"
        "body{font:14px/20px Inter,system-ui,sans-serif;max-width:54rem;margin:2rem auto;padding:0 1rem;"
        "color:var(--text);background:light-dark(#f7f9fb,#0b0f14)}"
        "h1{font-size:20px;line-height:28px;margin:0 0 1rem}a{color:var(--accent);text-underline-offset:3px}"
        "table{border-collapse:collapse;width:100%}th{font-weight:500;color:var(--muted)}"
        "td,th{text-align:left;padding:.5rem .5rem .5rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
        "time{font-variant-numeric:tabular-nums}.new td{font-weight:600}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}"
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>{body}</body></html>',
        status_code=status,
        headers=_headers(PAGE_POLICY),
    )
