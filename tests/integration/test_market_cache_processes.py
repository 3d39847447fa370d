"""One market cache and many processes: whoever reads, is killed or runs out of room sees one version or another."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.data.storage.bars import ParquetBarHousekeeping
from backend.data.storage.bars.folders import LOCK
from backend.data.storage.bars.places import MANIFEST
from backend.domain.market_errors import SeriesBusy
from tests.integration import bar_processes
from tests.integration.bar_processes import INSTRUMENT, SERIES, part, start, store, version_in, write_version

pytestmark = pytest.mark.timeout(300)
PATIENCE_SECONDS = 60


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    """Those that a test started, and that end with it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> str:
    out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    return out


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "bars").rglob("*") if path.is_file()}


def assert_sound(root: Path) -> int:
    """The stored version; nothing is damaged, and nothing is left over once it is swept."""
    kept = store(root)
    number = version_in(kept)
    assert kept.verify(SERIES) == {}
    ParquetBarHousekeeping(kept).sweep()
    assert version_in(store(root)) == number
    assert not any(name.endswith(".new") for name in names(root))
    assert len(names(root)) <= 2 + 2 + 2, "a manifest, a lock, two files and the two before them"
    return number


def test_two_processes_write_one_series_at_once(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    for first in (0, 1):
        processes.append(start("append", tmp_path, first, 2, 60))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        ended(process)
    kept = store(tmp_path)
    assert kept.read(SERIES).bars["close"].tolist() == [float(page + 1) for page in range(60) for _ in range(10)]
    manifest = kept.manifest(SERIES)
    assert manifest is not None
    assert len(manifest.covered) == 1


def test_threads_share_one_store(tmp_path: Path) -> None:
    kept = store(tmp_path)
    write_version(kept, 1)

    def use(number: int) -> int:
        if number % 4 == 0:
            write_version(kept, number + 2)
        return version_in(kept)

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(use, range(80)))
    assert len(set(seen)) > 5
    assert assert_sound(tmp_path) in seen


def test_reader_never_sees_a_mixture(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    write_version(store(tmp_path), 1)
    writer = start("write_versions", tmp_path, 2)
    processes.append(writer)
    processes.extend(start("read_versions", tmp_path, 40) for _ in range(2))
    for reader in processes[1:]:
        assert int(ended(reader)) >= 40
    assert writer.poll() is None


@pytest.mark.parametrize("how", ["write", "renew"])
def test_writer_that_is_killed_at_any_step_leaves_one_version(
    tmp_path: Path, processes: list["subprocess.Popen[str]"], how: str
) -> None:
    stored = int(how == "renew")
    if stored:
        write_version(store(tmp_path), stored)
    mortals = start("mortals", tmp_path, how)
    processes.append(mortals)
    assert mortals.stdin is not None
    assert mortals.stdout is not None
    number, step = stored + 1, 1
    while True:
        mortals.stdin.write(f"{number} {step}\n")
        mortals.stdin.flush()
        ending = mortals.stdout.readline().strip()
        found = assert_sound(tmp_path)
        assert found in (stored, number), f"step {step} left version {found}"
        stored = found
        if ending == "0":
            assert stored == number
            break
        assert ending == str(-signal.SIGKILL)
        number, step = number + 1, step + 1
    assert step > 20, "a write has many steps"


def test_writer_that_is_killed_at_random_keeps_what_it_acknowledged(
    tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    chance, stored = random.Random(7), 0
    for _ in range(8):
        process = start("write_versions", tmp_path, stored + 1)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
        acknowledged = int(out.split()[-1]) if out else stored
        stored = assert_sound(tmp_path)
        assert stored in (acknowledged, acknowledged + 1)


def test_writer_that_hangs_keeps_others_waiting_for_a_while_only(
    tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    write_version(store(tmp_path), 1)
    hanging = start("die", tmp_path, 2, 4, "stop")
    processes.append(hanging)
    os.waitid(os.P_PID, hanging.pid, os.WSTOPPED)
    with pytest.raises(SeriesBusy, match="for 0 s"):
        write_version(store(tmp_path, patience_seconds=0.2), 3)
    assert version_in(store(tmp_path)) == 1, "reading waits for nobody"
    assert ParquetBarHousekeeping(store(tmp_path)).evict(0) == [], "what is being written stays"
    hanging.send_signal(signal.SIGCONT)
    ended(hanging)
    assert assert_sound(tmp_path) == 2


@pytest.mark.parametrize("most_bytes", [100, 4_000, 12_000])
def test_full_disk_leaves_what_was_stored(
    tmp_path: Path, processes: list["subprocess.Popen[str]"], most_bytes: int
) -> None:
    write_version(store(tmp_path), 1)
    before = names(tmp_path)
    processes.append(start("limited", tmp_path, most_bytes, 0, bar_processes.BARS))
    said = ended(processes[0])
    assert said.startswith("StorageFull: The disk took no more of demo BTC/USDT 30m; ")
    assert "What was stored before is untouched" in said
    assert version_in(store(tmp_path)) == 1
    assert names(tmp_path) == before


def test_disk_that_has_no_room_for_the_manifest_leaves_what_was_stored(
    tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    kept = store(tmp_path)
    year = 366 * 48
    for number in range(12):
        kept.write(INSTRUMENT, SERIES, part(number * year, 20, 1.0), source="a test")
    manifest = next((tmp_path / "bars").rglob(MANIFEST))
    largest = max(path.stat().st_size for path in manifest.parent.glob("*.parquet"))
    assert manifest.stat().st_size > largest + 500
    before = kept.read(SERIES).bars
    processes.append(start("limited", tmp_path, manifest.stat().st_size - 100, 0, 20))
    assert ended(processes[0]).startswith("StorageFull: ")
    assert store(tmp_path).read(SERIES).bars.equals(before)
    assert len(names(tmp_path)) == 2 + 12


def test_first_write_on_a_full_disk_leaves_nothing(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    processes.append(start("limited", tmp_path, 100, 0, bar_processes.BARS))
    assert ended(processes[0]).startswith("StorageFull: ")
    assert store(tmp_path).manifest(SERIES) is None
    assert names(tmp_path) == {LOCK}


def test_cache_may_be_removed_while_it_is_written(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    root = tmp_path / "data_cache"
    writer = start("write_versions", root, 1)
    processes.append(writer)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    for _ in range(30):
        assert writer.stdout.readline() != "", "it goes on"
        shutil.rmtree(root, ignore_errors=True)  # while it writes the next one
    told = [int(writer.stdout.readline())]
    while len(told) < 20:
        told.append(int(writer.stdout.readline()))
    writer.kill()
    out, errors = writer.communicate()
    assert "Traceback" not in errors
    assert version_in(store(root)) >= int(out.split()[-1] if out else told[-1])
