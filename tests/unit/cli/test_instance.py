"""What a killed server left behind is believed by the next one on its own folder, and by nobody else."""

import shutil
from pathlib import Path

import pytest

from backend.cli.instance import Instance, find, hold

SERVING = Instance(
    pid=1, url="http://127.0.0.1:1", mode="embedded", version="1", started_at="now", data_dir="here", runner_id="one"
)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The folder of a server that ended without a word."""
    folder = tmp_path / "data"
    with hold(folder) as held:
        held.announce(SERVING)
    return folder


def test_the_next_server_knows_whose_tasks_were_left(left: Path) -> None:
    with hold(left) as held:
        assert held.gone == "one"
        assert find(left) is None, "it does not answer yet"
    with hold(left) as held:
        assert held.gone is None, "only once"


def test_a_copy_of_the_folder_says_nothing_about_who_still_runs(left: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(left, tmp_path / "copy")
    with hold(copy) as held:
        assert held.gone is None


@pytest.mark.parametrize("words", ["[1]", "5", "null", "{}", '{"pid":', "[" * 100_000])
def test_odd_words_keep_no_server_from_starting(left: Path, words: str) -> None:
    (left / "running.json").write_text(words)
    with hold(left) as held:
        assert held.gone is None
