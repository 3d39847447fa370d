"""Machine code is kept for exactly the sources that it was made from, where nobody else can put it."""

import os
import time
from pathlib import Path

import pytest

from backend.domain import compiled


def test_changed_sources_have_another_folder(tmp_path: Path) -> None:
    source = tmp_path / "domain" / "rules.py"
    source.parent.mkdir()
    source.write_text("fee = 1")
    before = compiled._fingerprint(tmp_path)
    assert compiled._fingerprint(tmp_path) == before
    source.write_text("fee = 2")
    assert compiled._fingerprint(tmp_path) != before


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled._is_ours(tmp_path / "kernels" / "abc")
    monkeypatch.setattr(os, "getuid", lambda: 4_711)
    assert not compiled._is_ours(tmp_path / "kernels" / "abc")


def test_a_place_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not compiled._is_ours(tmp_path / "file" / "kernels")


def test_code_of_long_gone_sources_is_removed(tmp_path: Path) -> None:
    for name in ("now", "recent", "old"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", (0, time.time() - 8 * 86_400))
    compiled._forget_old(tmp_path, keep="now")
    assert {path.name for path in tmp_path.iterdir()} == {"now", "recent"}
