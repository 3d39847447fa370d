"""`tidemark serve`: take the data directory and a port, open the house, answer until told to stop."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.options import DataDir
from backend.cli.stopping import Stop, said_at_once, stopped_by_signals

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn

    from backend.bootstrap import House, Settings
    from backend.cli.instance import Held
    from backend.worker.runner import Runner

DEFAULT_PORT = 8000
PORTS_TO_TRY = 50
# Objects that were made and not yet freed. Thousands of open streams make the search long, so it is made seldom.
GARBAGE_BEFORE_A_LOOK = 10_000

Say = Callable[[str], None]


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to bind to. Default: 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to bind to; 0 takes any. Default: 8000, or the next free one.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Start the API and the web app. Postgres comes with them, unless DATABASE_URL names another."""
    from backend.bootstrap import given_names, read_settings, start_logging, unknown_names
    from backend.cli.instance import hold

    settings = read_settings(host=host, port=port, data_dir=data_dir)
    start_logging(settings)
    say = _voice(settings)
    for name, meant in unknown_names(given_names()).items():
        say(f"The setting {name} means nothing here{f'; did you mean {meant}?' if meant else '.'}")
    # From here on a signal asks for an orderly end: whatever was started is stopped again.
    stop = ServerStop()
    with (
        said_at_once(stop, say),
        stopped_by_signals(stop),
        hold(settings.data_dir) as held,
        _bind(settings, say) as listener,
    ):
        _run(_serve(settings, held, listener, stop, say))
    if stop.signal == signal.SIGINT:
        raise typer.Exit(130)


class ServerStop(Stop):
    """A second Ctrl-C does not wait for open requests."""

    def __init__(self) -> None:
        super().__init__()
        self._server: uvicorn.Server | None = None

    def __call__(self, number: int, frame: "FrameType | None") -> None:
        super().__call__(number, frame)
        self._tell()

    def ends(self, server: "uvicorn.Server") -> None:
        self._server = server
        # It may have been asked for while the server was still being put together.
        self._tell()

    def _tell(self) -> None:
        if self._server is not None:
            self._server.should_exit = self.requested
            self._server.force_exit = self.times > 1


def _bind(settings: "Settings", say: Say) -> socket.socket:
    """The port that was asked for or an error; otherwise 8000 or the next free one."""
    from backend.domain.errors import InvalidSetting, PortTaken

    if settings.port is not None:
        candidates = [settings.port]
    else:
        candidates = [*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TO_TRY), 0]
    for candidate in candidates:
        try:
            family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, candidate))
            listener.listen(2048)
        except PermissionError as problem:
            raise InvalidSetting(
                "TIDEMARK_PORT", f"port {candidate} needs more rights; take one above 1023."
            ) from problem
        except socket.gaierror as problem:
            raise InvalidSetting("TIDEMARK_HOST", f"{settings.host} is not an address of this machine.") from problem
        except OSError as problem:
            listener.close()
            if problem.errno != errno.EADDRINUSE:
                raise InvalidSetting(
                    "TIDEMARK_HOST", f"{settings.host} cannot be bound: {problem.strerror}."
                ) from problem
            if settings.port is not None:
                raise PortTaken(settings.host, candidate) from problem
        else:
            if settings.port is None and candidate != DEFAULT_PORT:
                say(f"Port {DEFAULT_PORT} is taken, so Tidemark uses {listener.getsockname()[1]}.")
            return listener
    raise PortTaken(settings.host, DEFAULT_PORT)


def _run(main: Coroutine[None, None, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def _serve(settings: "Settings", held: "Held", listener: socket.socket, stop: ServerStop, say: Say) -> None:
    from backend.bootstrap import open_house
    from backend.worker.runner import open_runner
    from backend.worker.scheduler import open_scheduler

    address = _address(settings, listener)
    async with open_house(settings, address=address, say=say) as house:
        if stop.requested:
            return
        async with open_runner(house, gone=held.gone) as runner, open_scheduler(house):
            server = _server(house, runner, lambda: _announce(house, held, address, say))
            stop.ends(server)
            spare_the_collector()
            try:
                await server.serve(sockets=[listener])
            finally:
                held.withdraw()


def spare_the_collector() -> None:
    """What is there once everything is open stays: looking through it again and again would only hold up the loop."""
    gc.collect()
    gc.freeze()


def _server(house: "House", runner: "Runner", answers: Callable[[], None]) -> "uvicorn.Server":
    import uvicorn

    from backend.api.app import create_app
    from backend.api.sockets import SETTINGS
    from backend.api.wire import BoundedHttp

    app = create_app(house, workers=runner.readiness)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are ours: Postgres must be stopped after the last request

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _settle()
            answers()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await app.end_streams()
            await super().shutdown(sockets)

    proxies = house.settings.trusted_proxies
    return Server(
        uvicorn.Config(
            app,
            http=BoundedHttp,
            **SETTINGS,
            loop="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=5,
            timeout_keep_alive=20,
        )
    )


def _settle() -> None:
    """What is loaded by now stays: to look through it for garbage, time and again, would stop everything meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_BEFORE_A_LOOK)


def _announce(house: "House", held: "Held", address: str, say: Say) -> None:
    from backend.cli.instance import Instance
    from backend.version import VERSION

    held.announce(
        Instance(
            pid=os.getpid(),
            url=address,
            mode=house.project.mode,
            version=VERSION,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_dir=str(house.settings.data_dir),
            mailbox_url=house.mailbox_url,
            runner_id=house.runner_id,
        )
    )
    say(f"Tidemark {VERSION} answers at {address}")
    if house.mailbox_url:
        say(f"Mails that it would send are kept at {house.mailbox_url}")
    say("Press Ctrl-C to stop.")


def _address(settings: "Settings", listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _voice(settings: "Settings") -> Say:
    """Plain words for a person at a terminal; lines of the log where a machine reads them."""
    if settings.logs_as_text:
        return lambda text: print(f"  {text}", file=sys.stderr, flush=True)
    from loguru import logger

    return lambda text: logger.bind(logger="tidemark").info("{}", text)
