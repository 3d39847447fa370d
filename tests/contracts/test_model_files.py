"""What every place for files of models keeps to."""

import errno
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from backend.data.model_files import FolderModelFiles
from backend.domain.market_errors import StorageFailed, StorageFull
from backend.domain.model_errors import ModelDamaged
from backend.domain.model_ports import ModelFiles
from tests.fake_model_files import FakeModelFiles
from tests.fakes import FakeClock

ADA, BEN = UUID(int=1), UUID(int=2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture(params=["memory", "folder"])
def files(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> ModelFiles:
    return FakeModelFiles(clock) if request.param == "memory" else FolderModelFiles(tmp_path, clock)


@pytest.fixture
def folder(tmp_path: Path, clock: FakeClock) -> FolderModelFiles:
    return FolderModelFiles(tmp_path, clock)


def only_file(root: Path) -> Path:
    (path,) = (each for each in root.rglob("*") if each.is_file())
    return path


def test_what_was_kept_is_read_by_its_digest(files: ModelFiles) -> None:
    digest = files.keep(ADA, b"trees")

    assert digest == hashlib.sha256(b"trees").hexdigest()
    assert files.read(ADA, digest) == b"trees"


def test_the_same_content_is_kept_once(files: ModelFiles) -> None:
    assert files.keep(ADA, b"trees") == files.keep(ADA, b"trees")


def test_nobody_reads_the_file_of_another(files: ModelFiles) -> None:
    digest = files.keep(ADA, b"trees")

    with pytest.raises(ModelDamaged, match="gone"):
        files.read(BEN, digest)


def test_a_forgotten_file_is_gone(files: ModelFiles) -> None:
    digest = files.keep(ADA, b"trees")
    files.keep(BEN, b"trees")
    files.forget(ADA, digest)
    files.forget(ADA, digest)

    with pytest.raises(ModelDamaged):
        files.read(ADA, digest)
    assert files.read(BEN, digest) == b"trees"


def test_a_sweep_takes_what_no_model_names_once_it_is_old(files: ModelFiles, clock: FakeClock) -> None:
    named, unnamed = files.keep(ADA, b"named"), files.keep(ADA, b"unnamed")
    assert files.sweep([(ADA, named)]) == 0

    clock.advance(days=2)
    assert files.sweep([(ADA, named)]) == 1
    assert files.read(ADA, named) == b"named"
    with pytest.raises(ModelDamaged):
        files.read(ADA, unnamed)


def test_a_file_named_for_another_owner_only_goes(files: ModelFiles, clock: FakeClock) -> None:
    digest = files.keep(ADA, b"trees")
    clock.advance(days=2)

    assert files.sweep([(BEN, digest)]) == 1


@pytest.mark.parametrize("damage", [b"", b"tree", b"Trees", b"trees and more"])
def test_a_changed_file_is_refused(folder: FolderModelFiles, tmp_path: Path, damage: bytes) -> None:
    digest = folder.keep(ADA, b"trees")
    only_file(tmp_path).write_bytes(damage)

    with pytest.raises(ModelDamaged, match="not what was written"):
        folder.read(ADA, digest)


def test_a_changed_file_is_mended_when_it_is_kept_again(folder: FolderModelFiles, tmp_path: Path) -> None:
    digest = folder.keep(ADA, b"trees")
    only_file(tmp_path).write_bytes(b"tr")
    folder.keep(ADA, b"trees")

    assert folder.read(ADA, digest) == b"trees"


@pytest.mark.parametrize("name", ["", "../../x", "A" * 64, "0" * 63, "0" * 64 + "/x"])
def test_only_a_digest_names_a_file(folder: FolderModelFiles, name: str) -> None:
    with pytest.raises(ModelDamaged):
        folder.read(ADA, name)


def test_a_lost_draft_is_swept(folder: FolderModelFiles, tmp_path: Path, clock: FakeClock) -> None:
    digest = folder.keep(ADA, b"trees")
    (only_file(tmp_path).parent / "lost.draft").write_bytes(b"tre")
    clock.advance(days=2)

    assert folder.sweep([(ADA, digest)]) == 1
    assert folder.read(ADA, digest) == b"trees"


def test_a_full_disk_says_so_and_leaves_nothing(
    folder: FolderModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageFull):
        folder.keep(ADA, b"trees")
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_another_refusal_of_the_disk_says_why(folder: FolderModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(StorageFailed, match="Input/output error"):
        folder.keep(ADA, b"trees")


def failing(code: int) -> Callable[[int], None]:
    def fsync(_: int) -> None:
        raise OSError(code, os.strerror(code))

    return fsync
