"""A backup that is made while jobs write holds one moment, and what is restored from it is that moment, and goes on."""

import asyncio
import gzip
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.saved_installation import ADA, Original, saved_installation, typed
from tests.integration.test_backtest_jobs import read
from tests.integration.test_market_jobs import PASSWORD, ended
from tests.integration.test_master_key import CREDENTIALS, file_of, opened
from tests.pages import OPERATIONS, block, blocks
from tests.serving import ROOT, TIDEMARK, Running, environment, serving


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    with saved_installation() as original:
        yield original


@pytest.fixture(scope="module")
def restored(original: Original) -> Path:
    """The data directory that was made from the backup; nothing serves it yet."""
    said = typed(block(OPERATIONS, "TIDEMARK_CACHE_DIR=~/restored/cache"), original.folder, **original.settings)
    tables, rows = len(original.manifest["database"]["tables"]), rows_of(original.manifest)
    assert f"Restored {tables} tables with {rows:,} rows" in said
    assert "locked" not in said
    assert said.endswith("Every table and every file is the same.\n")
    return original.folder / "restored" / "data"


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


def test_an_installation_that_went_on_is_told_from_its_backup(original: Original) -> None:
    other = original.commands("compare", str(original.backup))
    assert other.returncode == 1
    assert "public.tasks has " in other.stdout
    assert "public.profiles" not in other.stdout


def test_a_restored_installation_goes_on(original: Original, restored: Path) -> None:
    settings = {**original.settings, "TIDEMARK_CACHE_DIR": str(original.folder / "restored" / "cache")}
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
    from backend.domain.backup_manifests import read_manifest

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
        path.write_text(text.replace('"format": 2', '"format": 3'))
    else:
        path.unlink()
    said = {
        "newer": "newer than this version of Tidemark: it has 1 migration that are not known here",
        "edited": "Its manifest was changed since it was written",
        "format": "in format 3; this version reads 2",
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


def test_what_the_disk_refuses_is_told_in_words(original: Original) -> None:
    answer = original.commands("create", str(original.keys / "in a file"))
    assert answer.returncode == 1
    assert f"{original.keys}: File exists. Run it again when that is mended." in answer.stderr


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


@pytest.fixture
def clone(original: Original) -> Iterator[tuple[Path, dict[str, str]]]:
    """A clone whose settings name the running instance as its Supabase project, by steps 7 and 8 of the page."""
    folder, status = original.folder / "clone", original.running.status
    folder.mkdir()
    (folder / "supabase").symlink_to(ROOT / "supabase")
    values = {
        "DATABASE_URL": status["DB_URL"],
        "SUPABASE_URL": status["API_URL"],
        "SUPABASE_PUBLISHABLE_KEY": status["PUBLISHABLE_KEY"],
        "SUPABASE_SECRET_KEY": status["SECRET_KEY"],
        "ENCRYPTION_KEY": typed(block(OPERATIONS, "openssl"), folder).strip(),
    }
    wanted = [line.partition("=") for line in block(OPERATIONS, "DATABASE_URL=").splitlines()]
    (folder / ".env").write_text("".join(f"{name}={values.get(name, value)}\n" for name, _, value in wanted))
    yield (
        folder,
        {"TIDEMARK_ENV_FILE": str(folder / ".env"), "HOME": str(original.folder)}
        | {
            "TIDEMARK_DATA_DIR": str(folder / "data"),
            "TIDEMARK_CACHE_DIR": str(folder / "cache"),
        },
    )
    shutil.rmtree(folder)


def test_a_project_is_set_up_step_by_step(original: Original, clone: tuple[Path, dict[str, str]]) -> None:
    folder, settings = clone
    looked = typed(block(OPERATIONS, "tidemark doctor\n"), folder, **settings)
    assert "ENCRYPTION_KEY is set." in looked
    assert looked.endswith("The database is up to date.\n")
    pushed = typed(block(OPERATIONS, "set -a; . ./.env; set +a\nsupabase db push"), folder, **settings)
    assert "up to date" in pushed
    made = typed(block(OPERATIONS, "tidemark user create grace@example.com"), folder, **settings)
    assert "grace@example.com" in made
    with pytest.raises(AssertionError, match="which makes backups of its own"):
        typed(f"tidemark backup create {original.folder}/whole", folder, **settings)
    (folder / "cache").mkdir()
    (folder / "cache" / "mine").write_text("Mine.")
    [saves] = [text for text in blocks(OPERATIONS) if text.startswith("set -a; . ./.env; set +a\nsupabase db dump")]
    assert "no database, 1 files" in typed(saves.splitlines()[-1], folder, **settings)
    shutil.rmtree(folder / "cache")
    [back] = [line for text in blocks(OPERATIONS) for line in text.splitlines() if line.endswith("friday-files")]
    typed(back, folder, **settings)
    assert (folder / "cache" / "mine").read_text() == "Mine."
    with pytest.raises(AssertionError, match="the settings name a Supabase project"):
        typed(f"tidemark backup restore {original.backup}", folder, **settings)


def test_the_database_is_migrated_by_either_and_keys_are_changed(original: Original) -> None:
    folder = original.folder / "by-hand"
    folder.mkdir()
    (folder / "supabase").symlink_to(ROOT / "supabase")
    assert "up to date" in typed(block(OPERATIONS, "eval"), folder, **original.settings)
    assert "sealed anew" in typed(block(OPERATIONS, "tidemark keys rotate"), folder, **original.settings)
