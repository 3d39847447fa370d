"""Files of the market cache that are cut, changed, exchanged or lost are found, set aside, and never read as bars."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

from backend.data.storage.bars import ParquetBarHousekeeping, ParquetBarStore
from backend.data.storage.bars.places import MANIFEST, series_path
from backend.domain.bars import empty_bars
from backend.domain.market import Series, Span, Timeframe
from backend.domain.market_errors import NoBars, SeriesDamaged, StorageFailed
from backend.domain.market_ports import FetchedPage
from tests.bar_pages import instrument, page
from tests.fakes import FakeClock

BTC = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M5)
BEGIN = datetime(2025, 12, 30, tzinfo=UTC)
BARS = 2_000  # two quarters: a small file, and a larger one
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = Span(start=BEGIN, end=BEGIN + BARS * BTC.timeframe.length)


@pytest.fixture
def store(tmp_path: Path) -> ParquetBarStore:
    store = fresh(tmp_path)
    store.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    return store


def fresh(root: Path) -> ParquetBarStore:
    """Another process' store, as it were: one that remembers nothing."""
    return ParquetBarStore(root, FakeClock())


def folder(root: Path, series: Series = BTC) -> Path:
    return root / "bars" / series_path(series)


def file_of(root: Path, name: str, series: Series = BTC) -> Path:
    (path,) = folder(root, series).glob(f"{name}*.parquet")
    return path


def set_aside(root: Path) -> list[str]:
    """What lies in quarantine, without the time and the notes."""
    paths = (root / "quarantine" / series_path(BTC)).glob("*")
    return sorted(path.name.split("-", 1)[1] for path in paths if path.suffix != ".txt")


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lose(path: Path) -> None:
    path.unlink()


def append_to(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def exchange(path: Path) -> None:
    """By the file of another series for the same period, in the right place, sound in itself."""
    eth = replace(BTC, symbol="ETH/USDT")
    root = path.parents[6]
    fresh(root).write(instrument(eth), eth, page(BARS, BEGIN, BTC.timeframe, price=55), source="a test")
    shutil.copy(file_of(root, path.name[:7], eth), path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (cut, "bytes, not"),
    "emptied": (empty, "0 bytes, not"),
    "lost": (lose, "it is not there"),
    "longer": (append_to, "bytes, not"),
    "flipped in its head": (lambda path: flip(path, 2), "checksum"),
    "flipped in a page": (lambda path: flip(path, path.stat().st_size // 2), "checksum"),
    "flipped in its foot": (lambda path: flip(path, path.stat().st_size - 60), "checksum"),
    "exchanged": (exchange, r"bytes, not|checksum"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_never_read_and_its_time_is_missing(
    tmp_path: Path, store: ParquetBarStore, damage: Callable[[Path], None], reason: str
) -> None:
    path = file_of(tmp_path, "2026-01")
    damage(path)
    with pytest.raises(SeriesDamaged, match=rf"{path.name}: .*({reason}).*download it again"):
        fresh(tmp_path).read(BTC)
    assert set_aside(tmp_path) == ([] if damage is lose else [path.name])
    assert not path.exists()
    # What is left is the last quarter of 2025, and all numbers in it are right.
    again = fresh(tmp_path)
    sound = page(BARS, BEGIN, BTC.timeframe).bars
    pd.testing.assert_frame_equal(again.read(BTC).bars, sound[sound["ts"] < pd.Timestamp(NEW_YEAR)])
    assert again.missing(BTC, WHOLE) == (Span(start=NEW_YEAR, end=WHOLE.end),)
    # It can be fetched again.
    again.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    pd.testing.assert_frame_equal(fresh(tmp_path).read(BTC).bars, sound)
    assert again.verify(BTC) == {}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_verifying_finds_what_nobody_read(
    tmp_path: Path, store: ParquetBarStore, damage: Callable[[Path], None], reason: str
) -> None:
    store.read(BTC)  # remembered, so that reading alone finds nothing
    path = file_of(tmp_path, "2025-10")
    damage(path)
    found = store.verify(BTC)
    assert list(found) == [path.name]
    pd.testing.assert_frame_equal(store.read(BTC).bars, fresh(tmp_path).read(BTC).bars)
    assert store.missing(BTC, WHOLE) == (Span(start=BEGIN, end=NEW_YEAR),)
    assert store.verify(BTC) == {}


@pytest.mark.parametrize("damage", [lose, cut, empty])
def test_who_asks_what_is_missing_hears_of_files_that_are_gone(
    tmp_path: Path, store: ParquetBarStore, damage: Callable[[Path], None]
) -> None:
    store.read(BTC)
    damage(file_of(tmp_path, "2026-01"))
    for one in (store, fresh(tmp_path)):
        assert one.missing(BTC, WHOLE) == (Span(start=NEW_YEAR, end=WHOLE.end),)
    store.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    assert len(fresh(tmp_path).read(BTC).bars) == BARS


def test_other_parts_are_read_while_one_is_damaged(tmp_path: Path, store: ParquetBarStore) -> None:
    flip(file_of(tmp_path, "2026-01"), 500)
    december = fresh(tmp_path).read(BTC, Span(start=BEGIN, end=NEW_YEAR))
    assert len(december.bars) == 2 * 288


def test_no_flipped_byte_of_a_file_passes(tmp_path: Path, store: ParquetBarStore) -> None:
    path = file_of(tmp_path, "2025-10")
    sound, manifest = path.read_bytes(), (path.parent / MANIFEST).read_bytes()
    for position in range(0, len(sound), 7):
        flip(path, position)
        with pytest.raises(SeriesDamaged):
            fresh(tmp_path).read(BTC)
        path.write_bytes(sound)
        (path.parent / MANIFEST).write_bytes(manifest)
    assert len(fresh(tmp_path).read(BTC).bars) == BARS


def test_no_flipped_byte_of_a_manifest_passes(tmp_path: Path, store: ParquetBarStore) -> None:
    shutil.copytree(folder(tmp_path), tmp_path / "sound")
    for position in range(0, (folder(tmp_path) / MANIFEST).stat().st_size, 13):
        flip(folder(tmp_path) / MANIFEST, position)
        with pytest.raises(SeriesDamaged, match=MANIFEST):
            fresh(tmp_path).read(BTC)
        shutil.copytree(tmp_path / "sound", folder(tmp_path), dirs_exist_ok=True)
    assert len(fresh(tmp_path).read(BTC).bars) == BARS


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace(",576,", ",575,"))


def edit_and_sign(path: Path) -> None:
    """Say that the bars are those of another series: a manifest that is sound in itself."""
    root = path.parents[6]
    eth = replace(BTC, symbol="ETH/USDT")
    fresh(root).write(instrument(eth), eth, page(BARS, BEGIN, BTC.timeframe, price=55), source="a test")
    shutil.copy(folder(root, eth) / MANIFEST, path)


@pytest.mark.parametrize(
    "damage", [edit, cut, empty, append_to, edit_and_sign], ids=["edited", "cut", "emptied", "longer", "another's"]
)
def test_series_whose_manifest_is_damaged_is_set_aside_as_a_whole(
    tmp_path: Path, store: ParquetBarStore, damage: Callable[[Path], None]
) -> None:
    files = sorted(path.name for path in folder(tmp_path).glob("*.parquet"))
    damage(folder(tmp_path) / MANIFEST)
    with pytest.raises(SeriesDamaged, match="manifest"):
        store.read(BTC)
    assert set_aside(tmp_path) == [*files, MANIFEST]
    assert store.manifest(BTC) is None
    assert store.missing(BTC, WHOLE) == (WHOLE,)
    with pytest.raises(NoBars):
        store.read(BTC)
    assert BTC not in {manifest.series for manifest in store.manifests()}
    for one in (store, fresh(tmp_path)):
        assert "is set aside. Download it again." in one.problems()[BTC]
        assert one.problem(BTC) == one.problems()[BTC]
    store.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    assert len(store.read(BTC).bars) == BARS
    assert (store.problem(BTC), BTC in store.problems()) == (None, False)


@pytest.mark.parametrize("look", ["manifest", "manifests", "missing", "verify", "write"])
def test_damaged_manifest_stops_nobody(tmp_path: Path, store: ParquetBarStore, look: str) -> None:
    cut(folder(tmp_path) / MANIFEST)
    other = fresh(tmp_path)
    if look == "manifest":
        assert other.manifest(BTC) is None
    elif look == "manifests":
        assert other.manifests() == []
    elif look == "missing":
        assert other.missing(BTC, WHOLE) == (WHOLE,)
    elif look == "verify":
        assert list(other.verify(BTC)) == [MANIFEST]
    else:
        other.write(instrument(BTC), BTC, page(7, BEGIN, BTC.timeframe), source="a test")
        assert len(other.read(BTC).bars) == 7
    assert MANIFEST in set_aside(tmp_path)


def test_series_of_a_newer_version_is_left_alone(tmp_path: Path, store: ParquetBarStore) -> None:
    manifest = folder(tmp_path) / MANIFEST
    body = manifest.read_bytes().split(b'"manifest":', 1)[1][:-2].replace(b'{"format":1,', b'{"format":2,')
    manifest.write_bytes(b'{"sha256":"' + sha256(body).hexdigest().encode() + b'","manifest":' + body + b"}\n")
    with pytest.raises(StorageFailed, match="another version of Tidemark"):
        store.read(BTC)
    with pytest.raises(StorageFailed):
        store.write(instrument(BTC), BTC, page(1, BEGIN, BTC.timeframe), source="a test")
    assert store.manifests() == []
    assert list(store.problems()) == [BTC]
    assert "another version of Tidemark" in (store.problem(BTC) or "")
    assert set_aside(tmp_path) == []
    assert len(list(folder(tmp_path).glob("*.parquet"))) == 2


def test_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "shared").write_text("no folder")
    store = fresh(tmp_path)
    with pytest.raises(StorageFailed, match=r"Not a directory.*operator"):
        store.write(instrument(BTC), BTC, page(1, BEGIN, BTC.timeframe), source="a test")
    with pytest.raises(StorageFailed, match="Not a directory"):
        store.read(BTC)


def test_writing_over_a_damaged_file_sets_it_aside(tmp_path: Path, store: ParquetBarStore) -> None:
    path = file_of(tmp_path, "2026-01")
    flip(path, 400)
    other = fresh(tmp_path)
    first = page(10, NEW_YEAR, BTC.timeframe, price=9)
    other.write(instrument(BTC), BTC, first, source="a test")
    assert set_aside(tmp_path) == [path.name]
    assert len(other.read(BTC).bars) == 2 * 288 + 10
    assert other.missing(BTC, WHOLE) == (Span(start=first.covered.end, end=WHOLE.end),)


def test_same_bars_written_over_a_damaged_file_are_sound(tmp_path: Path, store: ParquetBarStore) -> None:
    flip(file_of(tmp_path, "2026-01"), 400)
    other = fresh(tmp_path)
    other.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    assert other.verify(BTC) == {}
    assert len(fresh(tmp_path).read(BTC).bars) == BARS


def test_note_beside_what_is_set_aside_says_why(tmp_path: Path, store: ParquetBarStore) -> None:
    path = file_of(tmp_path, "2026-01")
    cut(path)
    store.verify(BTC)
    (note,) = (tmp_path / "quarantine" / series_path(BTC)).glob("*.txt")
    assert str(path) in note.read_text()
    assert "bytes, not" in note.read_text()


def test_quarantine_of_a_private_series_is_its_owners_and_goes_with_it(tmp_path: Path) -> None:
    owner = uuid4()
    mine = replace(BTC, owner=owner)
    store = fresh(tmp_path)
    store.write(instrument(mine), mine, page(50, BEGIN, mine.timeframe), source="a test")
    cut(file_of(tmp_path, "2025-10", mine))
    store.verify(mine)
    assert (tmp_path / "quarantine" / "private" / str(owner)).is_dir()
    assert ParquetBarHousekeeping(store).used_bytes()[owner] > 0
    store.delete(mine)
    assert not (tmp_path / "quarantine" / "private").exists()
    assert not (tmp_path / "bars" / "private").exists()
    assert ParquetBarHousekeeping(store).used_bytes() == {}


def test_quarantine_is_kept_for_a_month(tmp_path: Path, store: ParquetBarStore) -> None:
    clock = FakeClock(datetime.now(UTC))
    cut(file_of(tmp_path, "2026-01"))
    store.verify(BTC)
    housekeeping = ParquetBarHousekeeping(ParquetBarStore(tmp_path, clock))
    housekeeping.sweep()
    assert len(set_aside(tmp_path)) == 1
    clock.advance(days=31)
    assert housekeeping.sweep() > 0
    assert not list((tmp_path / "quarantine").iterdir())


def test_what_killed_writers_left_is_swept(tmp_path: Path, store: ParquetBarStore) -> None:
    rubbish = [folder(tmp_path) / name for name in ("2026-01-half.parquet.new", "2026-01-forgotten.parquet")]
    abandoned = folder(tmp_path, replace(BTC, symbol="NEVER"))
    abandoned.mkdir(parents=True)
    rubbish += [abandoned / "lock", abandoned / "2026-01-first.parquet"]
    for path in rubbish:
        path.write_bytes(b"x" * 1_000)
    assert ParquetBarHousekeeping(store).sweep() == 4_000
    assert not any(path.exists() for path in [*rubbish, abandoned])
    assert len(fresh(tmp_path).read(BTC).bars) == BARS


def test_replaced_files_stay_for_readers_and_go_later(tmp_path: Path) -> None:
    clock = FakeClock()
    store = ParquetBarStore(tmp_path, clock)
    for price in (1, 2, 3):
        store.write(instrument(BTC), BTC, page(50, BEGIN, BTC.timeframe, price=price), source="a test")
    assert len(list(folder(tmp_path).glob("*.parquet"))) == 2, "the present one and the one before"
    ParquetBarHousekeeping(store).sweep()
    assert len(list(folder(tmp_path).glob("*.parquet"))) == 2
    clock.advance(minutes=6)
    ParquetBarHousekeeping(store).sweep()
    assert len(list(folder(tmp_path).glob("*.parquet"))) == 1
    assert fresh(tmp_path).read(BTC).bars["close"][0] == 3


def test_small_page_rewrites_one_period_only(tmp_path: Path, store: ParquetBarStore) -> None:
    before = {path.name for path in folder(tmp_path).glob("*.parquet")}
    store.write(instrument(BTC), BTC, page(10, WHOLE.end, BTC.timeframe), source="a test")
    manifest = json.loads((folder(tmp_path) / MANIFEST).read_text())["manifest"]
    after = {name for name, *_ in manifest["files"]}
    assert len(after) == 2
    assert len(before & after) == 1
    assert manifest["retired"] == sorted(before - after)


def test_page_that_changes_nothing_writes_no_bars(tmp_path: Path, store: ParquetBarStore) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder(tmp_path).glob("*.parquet")}
    store.write(instrument(BTC), BTC, page(BARS, BEGIN, BTC.timeframe), source="a test")
    assert before == {path: path.stat().st_mtime_ns for path in folder(tmp_path).glob("*.parquet")}
    later = Span(start=WHOLE.end, end=WHOLE.end + timedelta(days=1))
    store.write(instrument(BTC), BTC, FetchedPage(bars=empty_bars(), covered=later), source="a test")
    assert before == {path: path.stat().st_mtime_ns for path in folder(tmp_path).glob("*.parquet")}
    assert store.missing(BTC, later) == ()
