"""Our copy of the binaries has the links that npm can't carry, and replaces that of another version."""

import json
from pathlib import Path

import pytest

from backend.infrastructure.supabase.postgres.binaries import copy_binaries


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "package"
    for folder in ("native/bin", "native/lib/pkgconfig", "native/share"):
        (package / folder).mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": "17.10.0"}))
    for file in ("bin/postgres", "lib/libpq.so.5.17", "lib/libpq.a", "share/postgres.bki"):
        (package / "native" / file).write_text(file)
        (package / "native" / file).chmod(0o600)
    links = [{"source": "native/lib/libpq.so.5.17", "target": f"native/lib/libpq.so{end}"} for end in ("", ".5")]
    (package / "native" / "pg-symlinks.json").write_text(json.dumps(links))
    return package


def test_the_copy_is_whole_linked_and_readable_by_anybody(package: Path, tmp_path: Path) -> None:
    copy = copy_binaries(package, tmp_path)
    assert copy == tmp_path / "bin-17.10.0"
    assert (copy / "lib" / "libpq.so.5").readlink() == Path("libpq.so.5.17")
    assert (copy / "lib" / "libpq.so").read_text() == "lib/libpq.so.5.17"
    assert (copy / "bin" / "postgres").stat().st_mode & 0o777 == 0o755
    assert (copy / "share" / "postgres.bki").stat().st_mode & 0o777 == 0o644
    assert not (copy / "lib" / "libpq.a").exists()


def test_links_that_npm_made_already_are_no_obstacle(package: Path, tmp_path: Path) -> None:
    (package / "native" / "lib" / "libpq.so").symlink_to("libpq.so.5.17")
    copy = copy_binaries(package, tmp_path)
    assert (copy / "lib" / "libpq.so").read_text() == "lib/libpq.so.5.17"


def test_a_copy_is_made_once_and_goes_with_the_next_version(package: Path, tmp_path: Path) -> None:
    first = copy_binaries(package, tmp_path)
    (first / "marker").touch()
    assert (copy_binaries(package, tmp_path) / "marker").exists()
    (tmp_path / "bin-making-cut-short").mkdir()
    (package / "package.json").write_text(json.dumps({"version": "17.11.0"}))
    copy_binaries(package, tmp_path)
    assert [path.name for path in tmp_path.glob("bin-*")] == ["bin-17.11.0"]


def test_a_copy_that_fails_is_told_in_one_sentence_and_leaves_nothing(package: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (package / "native" / "lib" / name).symlink_to("nowhere")
    with pytest.raises(OSError, match=r"^Postgres could not be copied there\. \[Errno 2\] [^\[]*$"):
        copy_binaries(package, tmp_path)
    assert list(tmp_path.glob("bin-*")) == []
