"""A backup that is made while jobs write holds one moment, and what is restored from it is that moment, and goes on."""

import asyncio
import gzip
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.test_backtest_jobs import SLOW, SLOW_ONE, WANTED, finished, read, started
from tests.integration.test_market_jobs import PASSWORD, ended, signed_in, until
from tests.integration.test_master_key import CREDENTIALS, Stored, file_of, opened, store
from tests.serving import ROOT, TIDEMARK, Running, data_folder, environment, serving, tidemark

QUICK = {**WANTED, "end": "2023-02-01T00:00:00Z"}
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
        return self.folder / "elsewhere" / "keys.json"

    @property
    def manifest(self) -> Any:
        return json.loads((self.backup / "manifest.json").read_text())

    def commands(self, *arguments: str, cache: str = "cache") -> subprocess.CompletedProcess[str]:
        return tidemark("backup", *arguments, **{**self.settings, "TIDEMARK_CACHE_DIR": str(self.folder / cache)})


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    with data_folder() as data:
        folder = data.parent
        (folder / "strategies").mkdir()
        (folder / "strategies" / "slow_one.py").write_text(SLOW_ONE.replace("{gate}", str(folder / "gate")))
        settings = {
            "TIDEMARK_RATE_LIMITS": "off",
            "TIDEMARK_STRATEGIES_DIR": str(folder / "strategies"),
            "TIDEMARK_CACHE_DIR": str(folder / "cache"),
            "TIDEMARK_DATA_DIR": str(data),
        }
        with serving(data, **settings) as running, signed_in(running, ADA) as ada:
            import_bars(ada)
            done = finished(ada, WANTED)
            (folder / "gate").touch()
            at_work = started(ada, SLOW)
            until(ada, at_work, lambda task: task["state"] == "running")
            key = asyncio.run(store(running))
            with submitting(ada) as submitted:
                backup = folder / "backups" / "friday"
                keys = folder / "elsewhere" / "keys.json"
                made = tidemark("backup", "create", str(backup), "--keys", str(keys), **settings)
                assert made.returncode == 0, made.stderr
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


@contextmanager
def submitting(client: httpx.Client) -> Iterator[list[str]]:
    """Somebody submits one backtest after the other meanwhile, at least one before and one after."""
    enough, ids = Event(), [started(client, QUICK)]

    def submit() -> None:
        while not enough.wait(0.05):
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


@pytest.fixture(scope="module")
def restored(original: Original) -> Path:
    """The data directory that was made from the backup; nothing serves it yet."""
    place = original.folder / "restored"
    answer = original.commands(
        "restore", str(original.backup), "--keys", str(original.keys), "--data-dir", str(place), cache="restored-cache"
    )
    assert answer.returncode == 0, answer.stderr
    tables, rows = len(original.manifest["database"]["tables"]), rows_of(original.manifest)
    assert f"Restored {tables} tables with {rows:,} rows" in answer.stdout
    assert "locked" not in answer.stderr
    return place


def rows_of(manifest: Any) -> int:
    return sum(table["rows"] for table in manifest["database"]["tables"])


def test_a_backup_is_for_its_owner_alone_and_its_keys_are_elsewhere(original: Original) -> None:
    for path in (original.backup, *original.backup.rglob("*"), original.keys):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    master = file_of(original.running).keys()[0].text
    assert master in original.keys.read_text()
    for path in original.backup.rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert master.encode() not in content, path
            assert CREDENTIALS.secret.encode() not in content, path


def test_a_backup_made_while_jobs_write_is_of_one_moment(original: Original) -> None:
    """Rows of different tables fit: of each submitted backtest there is all, or nothing."""
    database = original.manifest["database"]
    ids = {name: column(original, f"public.{name}", "id") for name in ("tasks", "backtests")}
    assert original.submitted[0] in ids["backtests"]
    assert original.submitted[-1] not in ids["backtests"]
    assert set(ids["backtests"]) <= set(ids["tasks"])
    done = {
        id_
        for id_, state in zip(ids["tasks"], column(original, "public.tasks", "state"), strict=True)
        if state == "completed"
    }
    parts = set(column(original, "public.backtest_parts", "backtest_id"))
    assert done & set(ids["backtests"]) <= parts
    assert len(database["facts"]["migrations"]) == len(list((ROOT / "supabase" / "migrations").glob("*.sql")))
    assert database["facts"]["strangers"] == []


def column(original: Original, table: str, name: str) -> list[str]:
    """One column of a table as it stands in the backup."""
    [shape] = [
        found["shape"]
        for found in original.manifest["database"]["tables"]
        if f"{found['shape']['schema']}.{found['shape']['name']}" == table
    ]
    text = gzip.decompress((original.backup / "database" / f"{table}.copy.gz").read_bytes()).decode()
    return [line.split("\t")[shape["columns"].index(name)] for line in text.splitlines()]


def test_what_was_restored_is_compared_with_the_backup(original: Original, restored: Path) -> None:
    same = original.commands("compare", str(original.backup), "--data-dir", str(restored), cache="restored-cache")
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout == "Every table and every file is the same.\n"
    # The original has gone on meanwhile, and says so table by table.
    other = original.commands("compare", str(original.backup))
    assert other.returncode == 1
    assert "public.tasks has " in other.stdout
    assert "public.profiles" not in other.stdout


def test_a_restored_installation_goes_on(original: Original, restored: Path) -> None:
    settings = {**original.settings, "TIDEMARK_CACHE_DIR": str(original.folder / "restored-cache")}
    del settings["TIDEMARK_DATA_DIR"]
    with serving(restored, **settings) as running:
        signed = httpx.post(
            f"{running.url}/auth/v1/token?grant_type=password",
            json={"email": ADA, "password": PASSWORD},
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        )
        assert signed.status_code == 200, signed.text
        # The API keys are those of before.
        assert running.status["SECRET_KEY"] == original.running.status["SECRET_KEY"]
        with httpx.Client(base_url=running.url, timeout=30) as ada:
            ada.headers["Authorization"] = f"Bearer {signed.json()['access_token']}"
            assert read(ada, original.finished) == original.result
            assert asyncio.run(opened(running, original.key, file_of(running))) == CREDENTIALS
            [mine] = [one for one in ada.get("/api/data/series").json()["items"] if one["symbol"] == "MINE"]
            exported = ada.get("/api/data/export", params={"series_id": mine["id"], "format": "csv"})
            assert exported.text.count("\n") == 20
            # What was at work when the backup was made is taken up again.
            (original.folder / "gate").unlink()
            assert ended(ada, original.at_work)["state"] == "completed"
            assert ended(ada, original.submitted[0])["state"] == "completed"
            assert ada.get(f"/api/backtests/{original.submitted[-1]}").status_code == 404
        assert asyncio.run(guarded(running)) == asyncio.run(guarded(original.running))


async def guarded(running: Running) -> list[tuple[str, str]]:
    """Which triggers watch over tables, and how."""
    connection = await asyncpg.connect(running.status["DB_URL"])
    try:
        rows = await connection.fetch(
            "select tgrelid::regclass::text || '.' || tgname, tgenabled::text from pg_trigger"
            " where not tgisinternal order by 1"
        )
    finally:
        await connection.close()
    return [(row[0], row[1]) for row in rows]


@pytest.fixture
def copied(original: Original, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original.backup, tmp_path / "copied"))


def test_a_changed_file_is_found_and_not_restored(original: Original, copied: Path, tmp_path: Path) -> None:
    rows = copied / "database" / "public.tasks.copy.gz"
    content = bytearray(rows.read_bytes())
    content[len(content) // 2] ^= 1
    rows.write_bytes(content)
    (copied / "cache" / "more").write_text("Mine.")
    checked = original.commands("check", str(copied))
    assert checked.returncode == 1
    assert "database/public.tasks.copy.gz: it is not what was written" in checked.stderr
    assert "cache/more: it is not in the manifest" in checked.stderr
    refused = original.commands("restore", str(copied), "--data-dir", str(tmp_path / "new"), cache="nothing")
    assert refused.returncode == 1
    assert "2 of its" in refused.stderr
    assert not (tmp_path / "new").exists()
    assert not (original.folder / "nothing").exists()


@pytest.mark.parametrize("wrong", ["newer", "edited", "format", "none"])
def test_what_cannot_be_restored_is_refused(original: Original, copied: Path, tmp_path: Path, wrong: str) -> None:
    from backend.domain.backups import read_manifest

    path = copied / "manifest.json"
    text = path.read_text()
    if wrong == "newer":
        manifest = read_manifest(text)
        assert manifest.database is not None
        migrations = manifest.database.facts.migrations
        object.__setattr__(manifest.database.facts, "migrations", (*migrations, "20991231235959"))
        path.write_text(manifest.to_text())
    elif wrong == "edited":
        path.write_text(text.replace('"rows": ', '"rows": 1', 1))
    elif wrong == "format":
        path.write_text(text.replace('"format": 1', '"format": 2'))
    else:
        path.unlink()
    said = {
        "newer": "newer than this version of Tidemark: it has 1 migration that are not known here",
        "edited": "Its manifest was changed since it was written",
        "format": "in format 2; this version reads 1",
        "none": "is no backup: it has no manifest.json",
    }
    refused = original.commands("restore", str(copied), "--data-dir", str(tmp_path / "new"), cache="nothing")
    assert refused.returncode in (1, 3)
    assert said[wrong] in refused.stderr
    assert not (tmp_path / "new").exists()


def test_nothing_that_is_there_is_overwritten(original: Original, tmp_path: Path) -> None:
    new = str(tmp_path / "new")
    for arguments, cache, said in (
        (("restore", str(original.backup)), "nothing", "is not empty. A backup is restored into a new folder"),
        (("restore", str(original.backup), "--data-dir", new), "strategies", "strategies is not empty: "),
        (("create", str(original.backup)), "cache", "is there already"),
        (("create", str(tmp_path / "b"), "--keys", str(original.keys)), "cache", "is there already"),
        (("create", str(tmp_path / "b"), "--keys", str(tmp_path / "b" / "keys")), "cache", "lies in the backup"),
        (("create", str(original.folder / "data" / "b")), "cache", "would be lost with it"),
    ):
        answer = original.commands(*arguments, cache=cache)
        assert answer.returncode == 3, arguments
        assert said in answer.stderr
    assert not os.path.lexists(new)


def test_a_backup_that_was_cut_off_has_no_name_and_is_finished_by_the_next(original: Original, tmp_path: Path) -> None:
    cut, draft = tmp_path / "cut", tmp_path / "cut.unfinished"
    settings = environment(**original.settings)
    with subprocess.Popen(
        [TIDEMARK, "backup", "create", cut], cwd=ROOT, env=settings, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and not draft.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    if process.returncode == -signal.SIGKILL:
        assert not cut.exists()
        assert "is no backup" in original.commands("check", str(cut)).stderr
        (draft / "cache").mkdir(exist_ok=True)
        (draft / "cache" / "gone").write_text("Deleted since.")
        again = original.commands("create", str(cut))
        assert again.returncode == 0, again.stderr
    assert original.commands("check", str(cut)).returncode == 0
    assert not draft.exists()
    assert not (cut / "cache" / "gone").exists()
