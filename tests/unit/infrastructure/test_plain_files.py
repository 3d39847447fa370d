"""What is opened is a plain file, what is held is ours alone, and where something lies is where it really is."""

import os
import stat
from pathlib import Path

import pytest

from backend.domain.backups import BackupRefused
from backend.infrastructure.plain_files import (
    NotPlain,
    hold_own,
    lies_in,
    opened,
    private_file,
    remove_strange,
    walk,
    write_whole,
)


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_read_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "elsewhere").write_text("secret")
        path.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    with pytest.raises(NotPlain, match="a link" if "link" in kind else "neither a file"), opened(path):
        pass


def test_a_file_that_is_written_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    for name in ("new", "whole.part"):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with private_file(tmp_path / "new") as file:
        file.write(b"ours")
    write_whole(tmp_path / "whole", b"ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    for name in ("new", "whole"):
        assert (tmp_path / name).read_text() == "ours"
        assert stat.S_IMODE((tmp_path / name).lstat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("wrong", "said"), [("link", "is a link"), ("open", "can be written by"), ("foreign", "belongs to another user")]
)
def test_a_folder_that_others_could_have_filled_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, said: str
) -> None:
    folder = tmp_path / "folder"
    if wrong == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777 if wrong == "open" else 0o700)
    if wrong == "foreign":
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(BackupRefused, match=said):
        hold_own(folder)


def test_what_is_not_ours_alone_is_taken_out_of_our_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_whole(outside, b"theirs")
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True, mode=0o700)
    for name in ("kept", "in/kept", "open"):
        write_whole(folder / name, b"ours")
    (folder / "open").chmod(0o644)
    (folder / "in" / "link").symlink_to(outside)
    (folder / "hard").hardlink_to(outside)
    os.mkfifo(folder / "pipe", 0o600)
    (folder / "folder").symlink_to(tmp_path)
    remove_strange(folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == ["in", "in/kept", "kept"]
    assert outside.read_text() == "theirs"


def test_a_link_to_a_folder_is_followed_on_the_first_level_alone(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "file").touch()
    (disk / "deep" / "link").symlink_to(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    (root / "first").symlink_to(disk)
    assert list(walk(root, first_may_link=True)) == [
        (Path(), []),
        (Path("first"), ["file"]),
        (Path("first/deep"), ["link"]),
    ]
    assert list(walk(root)) == [(Path(), ["first"])]


def test_where_a_path_lies_is_told_by_where_it_really_is(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for inside in ("folder", "folder/a/b", "other/../folder/a", "link/a"):
        assert lies_in(tmp_path / inside, folder), inside
        assert lies_in(tmp_path / inside, tmp_path / "link"), inside
    for outside in ("folder2", "folder/../a", "link/../a", "loop/a"):
        assert not lies_in(tmp_path / outside, folder), outside
