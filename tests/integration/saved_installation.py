"""An installation at work, of which a backup was made meanwhile by the commands of docs/operations.md."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx

from tests.integration.test_backtest_jobs import SLOW, SLOW_ONE, WANTED, finished, read, started
from tests.integration.test_market_jobs import ended, signed_in, until
from tests.integration.test_master_key import Stored, store
from tests.pages import OPERATIONS, block
from tests.serving import Running, data_folder, environment, serving, tidemark
from tests.supabase_cli import PROGRAM
from tests.warm_commands import put_on_path

# On another symbol: what is done there is no further trial of the finished one.
QUICK = {**WANTED, "series": [{**WANTED["series"][0], "symbol": "ETH/USDT"}], "end": "2023-02-01T00:00:00Z"}
MOST_SUBMITTED = 8
ADA = "ada@example.com"


@dataclass(frozen=True, kw_only=True)
class Original:
    """An installation at work, and the backup that was made of it meanwhile."""

    running: Running
    folder: Path
    settings: Mapping[str, str]
    finished: str
    result: Any
    at_work: str
    key: Stored
    submitted: tuple[str, ...]

    @property
    def backup(self) -> Path:
        return self.folder / "backups" / "friday"

    @property
    def keys(self) -> Path:
        return self.folder / "keys" / "friday.json"

    @property
    def manifest(self) -> Any:
        return json.loads((self.backup / "manifest.json").read_text())

    def commands(self, *arguments: str, cache: str = "cache") -> subprocess.CompletedProcess[str]:
        settings: dict[str, Any] = {**self.settings, "TIDEMARK_CACHE_DIR": str(self.folder / cache)}
        return tidemark("backup", *arguments, **settings)


@contextmanager
def saved_installation() -> Iterator[Original]:
    with data_folder() as data:
        folder = data.parent
        (folder / "strategies").mkdir()
        (folder / "strategies" / "slow_one.py").write_text(SLOW_ONE.replace("{gate}", str(folder / "gate")))
        settings = {
            "TIDEMARK_RATE_LIMITS": "off",
            "TIDEMARK_STRATEGIES_DIR": str(folder / "strategies"),
            "TIDEMARK_CACHE_DIR": str(folder / "cache"),
            "TIDEMARK_DATA_DIR": str(data),
            "HOME": str(folder),
        }
        with serving(data, **settings) as running, signed_in(running, ADA) as ada:
            import_bars(ada)
            done = finished(ada, WANTED)
            (folder / "gate").touch()
            at_work = started(ada, SLOW)
            until(ada, at_work, lambda task: task["state"] == "running")
            key = asyncio.run(store(running))
            with submitting(ada) as submitted:
                made = typed(block(OPERATIONS, "tidemark backup create ~/backups/friday "), folder, **settings)
                assert "Every file is what was written" in made
            yield Original(
                running=running,
                folder=folder,
                settings=settings,
                finished=done,
                result=read(ada, done),
                at_work=at_work,
                key=key,
                submitted=tuple(submitted),
            )


def typed(text: str, folder: Path, **settings: str) -> str:
    """What a shell says to a block of a page."""
    done = subprocess.run(
        ["/bin/sh", "-euc", text],
        cwd=folder,
        env={
            **environment(**settings),
            **put_on_path(folder),
            "PATH": f"{folder}:{PROGRAM.parent}:/usr/bin:/bin",
            # For the Supabase CLI: no questions, no TLS with what is on this machine, nothing told to anybody.
            "PGSSLMODE": "disable",
            "DO_NOT_TRACK": "1",
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "SUPABASE_YES": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def submitting(client: httpx.Client) -> Iterator[list[str]]:
    """Somebody submits one backtest after the other meanwhile, at least one before and one after."""
    enough, ids = Event(), [started(client, QUICK)]

    def submit() -> None:
        while len(ids) < MOST_SUBMITTED and not enough.wait(0.1):
            ids.append(started(client, QUICK))

    thread = Thread(target=submit)
    thread.start()
    try:
        yield ids
    finally:
        enough.set()
        thread.join()
        ids.append(started(client, QUICK))


def import_bars(client: httpx.Client) -> None:
    """A series of one's own, which can be fetched from nowhere."""
    days = "".join(f"2025-01-{day:02},10{day}.5,110{day},9{day}.25,10{day}.75,{day}000\n" for day in range(10, 29))
    text = "Date,Open,High,Low,Close,Volume\n" + days
    sent = client.post("/api/data/uploads", params={"name": "mine.csv"}, content=text)
    upload = sent.json()["upload_id"]
    shown = client.post("/api/data/import/preview", json={"upload_id": upload}).json()
    wanted = {"upload_id": upload, "symbol": "MINE", "timeframe": "1d", "reading": shown["reading"]}
    task = client.post("/api/data/import", json=wanted).json()
    assert ended(client, task["task_id"])["state"] == "completed", task
