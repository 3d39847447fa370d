"""What every place for files of models keeps to."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from backend.data.model_bucket import BucketModelFiles
from backend.data.model_files import FolderModelFiles
from backend.domain.errors import ConfigurationError, ServiceUnavailable
from backend.domain.market_errors import StorageFailed, StorageFull
from backend.domain.model_errors import ModelDamaged
from backend.domain.model_ports import ModelFiles
from tests.fake_model_files import FakeModelFiles
from tests.fakes import FakeClock
from tests.storage_server import SECRET_KEY, StorageServer

ADA, BEN = UUID(int=1), UUID(int=2)
BUCKET = "tidemark-models"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture(params=["memory", "folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[ModelFiles]:
    match request.param:
        case "memory":
            yield FakeModelFiles(clock)
        case "folder":
            yield FolderModelFiles(tmp_path, clock)
        case _:
            with StorageServer(clock).running() as storage:
                yield bucket_of(storage, tmp_path)


@pytest.fixture
def storage(clock: FakeClock) -> Iterator[StorageServer]:
    with StorageServer(clock).running() as storage:
        yield storage


def bucket_of(storage: StorageServer, folder: Path, key: str = SECRET_KEY) -> BucketModelFiles:
    clock = storage.clock
    return BucketModelFiles(storage.url, key, BUCKET, FolderModelFiles(folder, clock), clock)


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


def test_all_of_an_owner_who_leaves_is_forgotten_and_nothing_of_others(files: ModelFiles) -> None:
    mine = [files.keep(ADA, content) for content in (b"trees", b"forest")]
    other = files.keep(BEN, b"trees")
    files.forget_all(ADA)
    files.forget_all(ADA)

    for digest in mine:
        with pytest.raises(ModelDamaged):
            files.read(ADA, digest)
    assert files.read(BEN, other) == b"trees"


def test_what_only_lies_in_the_bucket_is_forgotten_too(storage: StorageServer, tmp_path: Path) -> None:
    bucket_of(storage, tmp_path / "here").keep(ADA, b"trees")
    bucket_of(storage, tmp_path / "there").forget_all(ADA)

    assert storage.files == {}


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


def test_the_bucket_is_made_private_and_names_files_by_owner_and_digest(storage: StorageServer, tmp_path: Path) -> None:
    digest = bucket_of(storage, tmp_path).keep(ADA, b"trees")

    assert storage.buckets == {BUCKET: False}
    assert list(storage.files) == [(BUCKET, f"{ADA}/{digest}.model")]


def test_another_server_reads_what_was_kept_and_asks_once(storage: StorageServer, tmp_path: Path) -> None:
    digest = bucket_of(storage, tmp_path / "here").keep(ADA, b"trees")
    there = bucket_of(storage, tmp_path / "there")

    assert there.read(ADA, digest) == b"trees"
    asked = len(storage.asked)
    assert there.read(ADA, digest) == b"trees"
    assert len(storage.asked) == asked


def test_a_lost_or_damaged_copy_is_read_anew(storage: StorageServer, tmp_path: Path) -> None:
    files = bucket_of(storage, tmp_path)
    digest = files.keep(ADA, b"trees")
    only_file(tmp_path).write_bytes(b"tr")

    assert files.read(ADA, digest) == b"trees"
    assert only_file(tmp_path).read_bytes() == b"trees"


def test_what_is_damaged_in_the_bucket_is_refused_and_leaves_no_copy(storage: StorageServer, tmp_path: Path) -> None:
    digest = bucket_of(storage, tmp_path / "here").keep(ADA, b"trees")
    storage.files[BUCKET, f"{ADA}/{digest}.model"] = b"other", storage.clock.now().isoformat()

    with pytest.raises(ModelDamaged, match="not what was written"):
        bucket_of(storage, tmp_path / "there").read(ADA, digest)
    assert not (tmp_path / "there").exists()


def test_what_a_child_kept_in_the_folder_is_delivered(storage: StorageServer, tmp_path: Path) -> None:
    digest = FolderModelFiles(tmp_path / "here", storage.clock).keep(ADA, b"trees")
    bucket_of(storage, tmp_path / "here").deliver(ADA, digest)
    bucket_of(storage, tmp_path / "there").fetch(ADA, digest)

    assert FolderModelFiles(tmp_path / "there", storage.clock).read(ADA, digest) == b"trees"


def test_a_public_bucket_is_refused_before_anything_is_written(storage: StorageServer, tmp_path: Path) -> None:
    storage.buckets[BUCKET] = True

    with pytest.raises(ConfigurationError, match=r"is public.*TIDEMARK_MODELS_BUCKET"):
        bucket_of(storage, tmp_path).keep(ADA, b"trees")
    assert not storage.files


def test_a_wrong_key_is_named_and_not_repeated(storage: StorageServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_SECRET_KEY") as refused:
        bucket_of(storage, tmp_path, key="sb_secret_wrong").keep(ADA, b"trees")
    assert "sb_secret_wrong" not in str(refused.value.detail)


def test_a_model_that_the_bucket_finds_too_large_says_so(storage: StorageServer, tmp_path: Path) -> None:
    storage.largest_bytes = 3

    with pytest.raises(StorageFailed, match=r"5 B.*upload limit"):
        bucket_of(storage, tmp_path).keep(ADA, b"trees")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_project_that_cannot_answer_now_is_tried_again_later(
    storage: StorageServer, tmp_path: Path, status: int
) -> None:
    storage.faults.append((status, b"upstream"))

    with pytest.raises(ServiceUnavailable, match=str(status)):
        bucket_of(storage, tmp_path).keep(ADA, b"trees")


def test_a_project_that_is_away_says_so(clock: FakeClock, tmp_path: Path) -> None:
    with StorageServer(clock).running() as storage:
        files = bucket_of(storage, tmp_path)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        files.keep(ADA, b"trees")


def test_a_sweep_looks_at_more_files_than_one_answer_tells(
    storage: StorageServer, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.data.model_bucket._PAGE", 2)
    files = bucket_of(storage, tmp_path)
    named = [(ADA, files.keep(ADA, bytes([number]))) for number in range(4)]
    files.keep(BEN, b"unnamed")
    clock.advance(days=2)

    assert files.sweep(named) == 1
    assert len(storage.files) == 4


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
