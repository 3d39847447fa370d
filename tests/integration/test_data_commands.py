"""`tidemark data`: real processes on a folder of their own, without a server and without a database."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT, environment, tidemark

FETCH = ("data", "fetch", "--provider", "demo", "--symbol", "BTC/USDT", "--timeframe", "1h", "--start", "2024-01-01")


def command(cache: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tidemark(*arguments, TIDEMARK_CACHE_DIR=str(cache))
    assert done.returncode == code, done.stdout + done.stderr
    return done


def told(cache: Path, *arguments: str) -> Any:
    return json.loads(command(cache, *arguments, "--json").stdout)


def test_bars_are_fetched_listed_exported_and_imported_again(tmp_path: Path) -> None:
    cache, file = tmp_path / "cache", tmp_path / "bars.csv"
    first = told(cache, *FETCH, "--end", "2024-02-01")
    assert (first["fetched"], first["series"]["rows"], first["series"]["is_simulated"]) == (744, 744, True)
    assert told(cache, *FETCH, "--end", "2024-02-01")["fetched"] == 0
    assert told(cache, *FETCH, "--end", "2024-02-02")["fetched"] == 24
    (listed,) = told(cache, "data", "list")["items"]
    assert listed["rows"] == 768
    told(cache, "data", "export", "--symbol", "BTC/USDT", "--timeframe", "1h", "--output", str(file))
    again = told(cache, "data", "import", str(file), "--symbol", "COPY")
    assert again["series"]["content_hash"] == listed["content_hash"]
    assert told(cache, "data", "verify") == {"series": 2, "damaged": {}}


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    command(tmp_path, *FETCH, "--end", "2024-01-03")
    (file,) = (tmp_path / "bars").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    assert "BTC/USDT" in command(tmp_path, "data", "verify", code=4).stdout
    assert told(tmp_path, *FETCH, "--end", "2024-01-03")["fetched"] == 48


def test_a_manifest_that_nobody_can_read_is_found(tmp_path: Path) -> None:
    command(tmp_path, *FETCH, "--end", "2024-01-02")
    (manifest,) = (tmp_path / "bars").rglob("manifest.json")
    body = manifest.read_bytes().split(b'"manifest":', 1)[1][:-2].replace(b'{"format":1,', b'{"format":2,')
    manifest.write_bytes(b'{"sha256":"' + sha256(body).hexdigest().encode() + b'","manifest":' + body + b"}\n")
    listed = command(tmp_path, "data", "list").stdout
    assert listed.startswith("demo BTC/USDT 1h: cannot be read. demo BTC/USDT 1h was written by another version"), (
        listed
    )
    assert "written by another version" in command(tmp_path, "data", "verify", code=4).stdout
    manifest.write_bytes(b"{}")
    assert "its hash does not fit" in command(tmp_path, "data", "verify", code=4).stdout
    assert told(tmp_path, "data", "verify") == {"series": 0, "damaged": {}}
    (listed,) = told(tmp_path, "data", "list")["items"]
    assert (listed["symbol"], "Download it again" in listed["problem"]) == ("BTC/USDT", True)
    command(tmp_path, *FETCH, "--end", "2024-01-02")
    assert [one["problem"] for one in told(tmp_path, "data", "list")["items"]] == [None]


def test_bars_whose_file_was_removed_are_missing(tmp_path: Path) -> None:
    command(tmp_path, *FETCH, "--end", "2024-01-03")
    (file,) = (tmp_path / "bars").rglob("*.parquet")
    file.unlink()
    assert told(tmp_path, *FETCH, "--end", "2024-01-03")["fetched"] == 48


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("data", "fetch", "--symbol", "BTCUSDT", "--timeframe", "1h", "--start", "2024-01-01"), 4, "BTC/USDT"),
        (("data", "fetch", "--symbol", "BTC/USDT", "--timeframe", "7m", "--start", "2024-01-01"), 2, "7m"),
        (("data", "fetch", "--symbol", "BTC/USDT", "--timeframe", "1h", "--start", "soon"), 2, "soon"),
        (("data", "fetch", "--symbol", "BTC/USDT", "--timeframe", "1h", "--start", "2999-01-01"), 2, "future"),
        (
            ("data", "fetch", "--provider", "nobody", "--symbol", "X", "--timeframe", "1h", "--start", "2024-01-01"),
            4,
            "demo",
        ),
        (
            ("data", "fetch", "--provider", "alpaca", "--symbol", "X", "--timeframe", "1h", "--start", "2024-01-01"),
            4,
            "TIDEMARK_ALPACA_KEY_ID",
        ),
        (("data", "export", "--symbol", "ETH/USDT", "--timeframe", "1h", "-o", "/tmp/never.csv"), 4, "Download it"),
        (
            ("data", "export", "--symbol", "X", "--timeframe", "1q", "-o", "x.csv"),
            2,
            "'--timeframe': '1q' is none of 1m",
        ),
        (("data", "export", "--symbol", "X", "--timeframe", "1h", "-o", "x.txt"), 2, "neither in .parquet nor in .csv"),
        (("data", "export", "--symbol", "X", "--timeframe", "1h", "-o", "no/such/folder/x.csv"), 2, "Make it first"),
    ],
)
def test_what_goes_wrong_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    assert words in command(tmp_path, *arguments, code=code).stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = command(tmp_path / "file" / "cache", "data", "list", code=3)
    assert "TIDEMARK_CACHE_DIR" in done.stderr


def test_a_bad_row_refuses_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("ts,open,high,low,close\n2024-01-01,1,2,1,1\n2024-01-02,1,2,1,1\n2024-01-03,1,0.5,1,1\n")
    done = command(tmp_path / "cache", "data", "import", str(file), "--symbol", "BAD", code=1)
    assert "line 4" in done.stderr
    assert "bad_bars" in done.stderr
    assert told(tmp_path / "cache", "data", "list")["items"] == []
    accepting = ("data", "import", str(file), "--symbol", "BAD", "--accept-bad-rows")
    kept = told(tmp_path / "cache", *accepting)
    assert (kept["rows"], kept["bad_rows"]) == (2, 1)
    assert command(tmp_path / "cache", *accepting).stdout.startswith(
        "Imported 2 bars, without the bad rows (1). import BAD"
    )


def test_an_import_says_what_it_took_for_granted_and_where_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("ts,open,high,low,close,volume\n2024-01-01,1,2,1,2,5\n2024-01-02,2,3,2,3,5\n")
    cache = tmp_path / "cache"
    done = command(cache, "data", "import", str(file), "--symbol", "MINE", "--currency", "EUR")
    assert "Its calendar is 24/7, its currency EUR; times that name no zone are UTC." in done.stderr
    export = ("data", "export", "--symbol", "MINE", "--timeframe", "1d", "-o", str(tmp_path / "out.csv"))
    assert "add --provider import" in command(cache, *export, code=4).stderr
    assert told(cache, *export, "--provider", "import")["rows"] == 2


def test_a_series_is_deleted_once_that_was_agreed(tmp_path: Path) -> None:
    command(tmp_path, *FETCH, "--end", "2024-01-02")
    named = ("data", "delete", "--symbol", "BTC/USDT", "--timeframe", "1h")
    assert "Use --yes" in command(tmp_path, *named, code=2).stderr
    assert told(tmp_path, *named, "--yes")["deleted"]["rows"] == 24
    assert told(tmp_path, "data", "list")["items"] == []
    assert "Nothing of demo BTC/USDT 1h is stored" in command(tmp_path, *named, "--yes", code=4).stderr


def test_what_cannot_be_read_can_be_deleted(tmp_path: Path) -> None:
    command(tmp_path, *FETCH, "--end", "2024-01-02")
    (manifest,) = (tmp_path / "bars").rglob("manifest.json")
    manifest.write_bytes(b"{}")
    named = ("data", "delete", "--symbol", "BTC/USDT", "--timeframe", "1h")
    assert command(tmp_path, *named, "--yes").stdout == "Deleted demo BTC/USDT 1h.\n"
    assert told(tmp_path, "data", "list")["items"] == []
    assert not list((tmp_path / "quarantine").rglob("*manifest*"))


def test_files_of_any_name_are_read_and_written(tmp_path: Path) -> None:
    cache, named = tmp_path / "cache", ("--provider", "import", "--symbol", "X", "--timeframe", "1d")
    for ending in ("csv", "parquet"):
        file = tmp_path / f"\udcff\u202e.{ending}"  # a byte that is no UTF-8
        if ending == "csv":
            file.write_text("date,open,high,low,close,volume\n2024-01-01,1,2,0.5,1.5,10\n2024-01-02,1,2,0.5,1.5,10\n")
            assert told(cache, "data", "import", str(file), "--symbol", "X")["rows"] == 2
        wrote = command(cache, "data", "export", *named, "--output", str(file)).stdout
        assert "\u202e" not in wrote, "nothing turns the line around"
        assert told(cache, "data", "import", str(file), "--symbol", "Y", "--timeframe", "1d")["rows"] == 2


def test_ctrl_c_keeps_what_came(tmp_path: Path) -> None:
    fetch = (*FETCH[:-4], "--timeframe", "1m", "--start", "2016-01-01")
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli.main", *fetch],
        cwd=ROOT,
        env=environment(TIDEMARK_CACHE_DIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    while not next(lines).startswith("downloading"):
        pass
    process.send_signal(2)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 130
    assert "What is stored by now is kept" in rest
    (kept,) = told(tmp_path, "data", "list")["items"]
    assert kept["rows"] > 0
    assert kept["first"].startswith("2016-01-01")


def test_help_loads_no_part_of_market_data() -> None:
    code = "import sys; from backend.cli.main import app; print([m for m in ('pandas', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_of_twenty_bad_rows_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("ts,open,high,low,close\n" + "".join(f"2024-01-{day:02},1,0.5,1,1\n" for day in range(1, 26)))
    said = command(tmp_path, "data", "import", str(file), "--symbol", "BAD", code=1).stderr
    assert [line for line in range(1, 30) if f"  line {line} (" in said] == list(range(2, 22))
    assert "and 5 more" in said
    assert "--accept-bad-rows" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "export", "--output", "x.csv"),
        ("backtest", "run", "--strategy", "sma_cross", "--start", "2024-01-01", "--end", "2024-02-01"),
        ("model", "train", "--start", "2024-01-01", "--end", "2024-02-01"),
    ],
)
def test_a_provider_that_nobody_has_is_told_with_those_that_there_are(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    asked = (*arguments, "--provider", "foo", "--symbol", "BTC/USDT", "--timeframe", "1h")
    said = command(tmp_path, *asked, code=4).stderr
    assert "There is no provider 'foo'." in said
    assert "yahoo" in said
    assert "unknown_provider" in said


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert (
        "no file on a disk"
        in command(tmp_path, "data", "import", str(tmp_path / "pipe"), "--symbol", "X", code=2).stderr
    )


def test_days_of_a_place_are_kept_as_their_dates_and_the_place_is_said(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("date,open,high,low,close\n2024-01-02,1,2,1,1\n2024-01-03,1,2,1,1\n")
    asked = ("data", "import", str(file), "--symbol", "DAYS", "--zone", "America/New_York")
    assert "taken as America/New_York" in command(tmp_path, *asked).stderr
    assert told(tmp_path, "data", "list")["items"][0]["first"] == "2024-01-02T00:00:00+00:00"


def test_how_a_file_is_read_can_be_said(tmp_path: Path) -> None:
    file, cache = tmp_path / "odd.csv", tmp_path / "cache"
    file.write_text("when;a;b;c;d\n05/01/2026;1,500;3,000;0,500;2,000\n06/01/2026;2,500;4,000;1,500;3,000\n")
    asked = ("data", "import", str(file), "--symbol", "ODD", "--timeframe", "1d")
    assert "Say which column is what" in command(cache, *asked, code=1).stderr
    columns = [f"--column={one}" for one in ("time=when", "open=a", "high=b", "low=c", "close=d")]
    done = told(cache, *asked, *columns, "--time-style", "day_first", "--decimal", ",")
    assert (done["rows"], done["series"]["first"]) == (2, "2026-01-05T00:00:00+00:00")
    out = tmp_path / "out.csv"
    command(cache, "data", "export", "--provider", "import", "--symbol", "ODD", "--timeframe", "1d", "-o", str(out))
    assert out.read_text().splitlines()[1] == "2026-01-05T00:00:00Z,1.5,3.0,0.5,2.0,0.0"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--column=closing=d", "'closing=d' is none of time=NAME"),
        ("--column=close=nowhere", "The file has no column 'nowhere'. It has: Date, Open, High, Low, Close."),
        ("--time-style=stardate", "'stardate' is none of iso, day_first"),
        ("--decimal=;", "is neither . nor ,"),
    ],
)
def test_what_is_said_of_a_file_is_checked(tmp_path: Path, option: str, words: str) -> None:
    file = tmp_path / "days.csv"
    file.write_text("Date,Open,High,Low,Close\n2024-01-02,1,2,1,1\n2024-01-03,1,2,1,1\n")
    assert words in command(tmp_path, "data", "import", str(file), "--symbol", "DAYS", option, code=2).stderr
