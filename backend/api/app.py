"""The app factory: what a request passes, in order, and which door it takes."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.context import context_of
from backend.api.cors import CrossOrigin
from backend.api.documentation import tidy
from backend.api.edge import Edge
from backend.api.errors import answer_errors
from backend.api.limits import BodyLimit, RateLimits
from backend.api.links import link
from backend.api.rooms import ROOMS_PATH, Rooms
from backend.api.routers import (
    accounts,
    administration_audit,
    administration_plans,
    administration_tasks,
    administration_users,
    backtest_insights,
    backtest_presets,
    backtest_results,
    backtest_studies,
    backtests,
    config,
    events,
    exchange_keys,
    health,
    jobs,
    market_data,
    market_fetching,
    market_files,
    models,
    own_data,
    predictions,
    problems,
    resources,
    shares,
    strategies,
    strategy_rules,
    strategy_versions,
    tokens,
)
from backend.api.routers.market_files import UPLOAD_PATH
from backend.api.security import KnownHosts, SecurityHeaders, web_policy
from backend.api.streams import Streams
from backend.api.task_events import TASK_EVENTS_PATH, TaskEvents
from backend.api.web import WebApp
from backend.bootstrap import WEB_APP, House
from backend.domain.job_ports import Readiness
from backend.domain.market_ports import LARGEST_UPLOAD_BYTES
from backend.version import VERSION

SMALLEST_WORTH_COMPRESSING = 1024
AUTH_PATH = "/auth/v1"
API_PATHS = ("/api", "/healthz", "/readyz", "/metrics", "/problems")


def create_app(house: House, *, web_app: Path = WEB_APP, workers: Callable[[], Readiness] | None = None) -> "Doors":
    """The whole site over an open house: API, Supabase Auth where it is ours, and the web app.

    `workers` tells whether jobs are run, where this process is to run them.
    """
    settings, project = house.settings, house.project
    public_url = settings.public_url or ""
    # The name to bind to, when it is one, is ours too.
    ours = [public_url, house.address, f"//{settings.host}" if ":" not in settings.host else None]

    def guarded(door: ASGIApp) -> ASGIApp:
        door = SecurityHeaders(door, is_https=public_url.startswith("https://"))
        return Edge(KnownHosts(door, addresses=ours), house.monitor)

    streams = Streams(
        bus=house.bus, feed=house.feed, accounts=house.account_watch, clock=house.clock, meter=house.monitor
    )

    def limited(door: ASGIApp) -> ASGIApp:
        return guarded(_rate_limited(door, house))

    policy = web_policy([project.url] if project.mode == "supabase" else [])
    return Doors(
        auth=None if house.auth is None else guarded(_Mounted(house.auth)),
        api=guarded(_api_door(house, workers, streams)),
        task_events=TaskEvents(house, streams, lambda beginning: guarded(_limited(beginning, house))),
        rooms=Rooms(house, streams, limited),
        web=guarded(WebApp(web_app, policy=policy)),
        streams=streams,
    )


def describe_api() -> FastAPI:
    """The API alone: its operations and their documentation. It answers once `app.state.house` is set."""
    app = FastAPI(
        title="Tidemark",
        version=VERSION,
        description="Research strategies, run backtests and train models.",
        openapi_url="/api/openapi.json",
        # Their pages load scripts from elsewhere, which our policy forbids.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # They are tried in this order for every request, so what is asked most often comes first.
    features = (
        backtests,
        jobs,
        market_data,
        health,
        config,
        accounts,
        own_data,
        tokens,
        exchange_keys,
        backtest_presets,
        backtest_results,
        backtest_insights,
        backtest_studies,
        resources,
        shares,
        events,
        market_fetching,
        market_files,
        models,
        predictions,
        strategy_rules,
        strategies,
        strategy_versions,
        administration_users,
        administration_tasks,
        administration_plans,
        administration_audit,
        problems,
    )
    for feature in features:
        app.include_router(feature.router)
    answer_errors(
        app, [route for feature in features for route in feature.router.routes if isinstance(route, APIRoute)]
    )

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema["paths"][TASK_EVENTS_PATH] = events.describe_stream()
            app.openapi_schema = link(tidy(schema))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app


def _api_door(house: House, workers: Callable[[], Readiness] | None, streams: Streams) -> ASGIApp:
    api = describe_api()
    api.state.house = house
    api.state.workers = workers
    api.state.streams = streams
    door: ASGIApp = BodyLimit(_Routed(api), larger={UPLOAD_PATH: LARGEST_UPLOAD_BYTES})
    return _limited(GZipMiddleware(door, minimum_size=SMALLEST_WORTH_COMPRESSING), house)


def _limited(door: ASGIApp, house: House) -> ASGIApp:
    return CrossOrigin(_rate_limited(door, house), house.settings.cors_origins)


def _rate_limited(door: ASGIApp, house: House) -> ASGIApp:
    return door if house.limiter is None else RateLimits(door, house.limiter, house.monitor)


class Doors:
    """Sends a request to the part that answers it. Each part brings its own wrappers; a stream can go without any."""

    def __init__(
        self, *, auth: ASGIApp | None, api: ASGIApp, task_events: ASGIApp, rooms: Rooms, web: ASGIApp, streams: Streams
    ) -> None:
        self._auth = auth
        self._api = api
        self._task_events = task_events
        self._rooms = rooms
        self._web = web
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await self._rooms(scope, receive, send)
            case _:
                await self._door(scope["path"])(scope, receive, send)

    async def end_streams(self) -> None:
        """Before the server waits for its last answers: these would never end by themselves."""
        await self._streams.close()
        await self._rooms.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """The house was opened before and is closed after; only the streams live with the server."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._streams.open()
            else:
                await self.end_streams()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    def _door(self, path: str) -> ASGIApp:
        if path == TASK_EVENTS_PATH:
            return self._task_events
        if path == ROOMS_PATH:
            return self._rooms
        if self._auth is not None and path.startswith(f"{AUTH_PATH}/"):
            return self._auth
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PATHS):
            return self._api
        return self._web


class _Mounted:
    """Supabase Auth below its path. Its bodies, errors, CORS and limits are its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._mount = Mount(AUTH_PATH, app=app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context_of(scope).route = f"{AUTH_PATH}/*"
        _, child_scope = self._mount.matches(scope)
        await self._mount.handle({**scope, **child_scope}, receive, send)


class _Routed:
    """Tells the metrics which template matched, and lets every GET be asked as HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if is_head else scope
        try:
            await self._app(inner, receive, _without_body(send) if is_head else send)
        finally:
            context_of(scope).route = getattr(inner.get("route"), "path", context_of(scope).route)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head
