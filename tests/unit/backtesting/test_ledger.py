"""The ledger of trials: nothing is lost, nothing counts twice, and processes take turns."""

import json
import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backend.backtesting.ledger import Entry, Family, Ledger
from backend.domain.optimisation_errors import LedgerDamaged

FAMILY = Family(strategy="sma_cross", symbol="BTC/USDT")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(fast: int, *, sharpe: float = 0.1, days: int = 100, course: str = "a") -> Entry:
    return Entry(
        parameters={"fast": fast},
        metrics={} if math.isnan(sharpe) else {"sharpe": sharpe * 19},
        missing={"calmar": "The equity never fell below a peak."},
        failure=None,
        daily_sharpe=sharpe,
        days=days,
        about={"course": course, "seed": 3},
    )


def ledger(folder: Path) -> Ledger:
    return Ledger(folder / "ledger", clock=lambda: NOON)


def test_every_trial_stays_with_its_time_seed_and_figures(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5), entry(6)])
    kept.append(FAMILY, [entry(7)])
    rows = list(kept.read(FAMILY))
    assert [row["parameters"]["fast"] for row in rows] == [5, 6, 7]
    assert rows[0]["at"] == "2026-03-01T12:00:00+00:00"
    assert (rows[0]["strategy"], rows[0]["symbol"], rows[0]["seed"]) == ("sma_cross", "BTC/USDT", 3)
    assert rows[0]["missing"] == {"calmar": "The equity never fell below a peak."}


def test_a_trial_that_is_repeated_counts_once_and_other_bars_count_anew(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5, sharpe=0.1), entry(6, sharpe=0.3)])
    kept.append(FAMILY, [entry(5, sharpe=0.1), entry(5, sharpe=0.2, course="b"), entry(8, sharpe=math.nan)])
    size = kept.size(FAMILY)
    assert size.trials == 4
    assert sorted(size.t_values) == [1.0, 2.0, 3.0]
    assert size.spread(100) == pytest.approx(0.1)
    assert len(list(kept.read(FAMILY))) == 5


def test_long_tests_make_the_spread_of_short_ones_no_smaller(tmp_path: Path) -> None:
    kept, chance = ledger(tmp_path), np.random.default_rng(3)
    kept.append(FAMILY, [entry(number, sharpe=chance.normal(0, 365**-0.5), days=365) for number in range(400)])
    short = kept.size(FAMILY).spread(365)
    kept.append(FAMILY, [entry(number, sharpe=chance.normal(0, 3650**-0.5), days=3650) for number in range(400, 4_000)])
    assert short == pytest.approx(365**-0.5, rel=0.1)
    assert kept.size(FAMILY).spread(365) == pytest.approx(short, rel=0.1)
    assert kept.size(FAMILY).spread(3650) == pytest.approx(3650**-0.5, rel=0.1)


def test_lines_of_earlier_versions_count_and_spread_nothing(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5), entry(6, sharpe=0.3)])
    lines = kept.folder / FAMILY.file_name
    lines.write_text(lines.read_text().replace(',"days":100', ""))
    lines.with_suffix(".trials").unlink()
    size = kept.size(FAMILY)
    assert (size.trials, len(size.t_values), size.spread(100)) == (2, 0, 0.1)


def test_families_do_not_mix_and_an_empty_one_has_nothing(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5)])
    for other in (Family(strategy="sma_cross", symbol="BTC-USDT"), Family(strategy="sma", symbol="cross BTC/USDT")):
        assert other.file_name != FAMILY.file_name
        assert kept.size(other).trials == 0
        assert list(kept.read(other)) == []


def test_a_name_cannot_leave_the_folder() -> None:
    name = Family(strategy="x", symbol="../../etc/passwd").file_name
    assert "/" not in name
    assert not name.startswith(".")


def test_a_torn_line_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5), entry(6)])
    path = kept.folder / FAMILY.file_name
    with path.open("ab") as file:
        file.write(b'{"at":"2026-03-01T12:00:0')
    assert kept.size(FAMILY).trials == 2
    kept.append(FAMILY, [entry(7)])
    assert [row["parameters"]["fast"] for row in kept.read(FAMILY)] == [5, 6, 7]
    assert kept.size(FAMILY).trials == 3


@pytest.mark.parametrize("harm", ["lost", "short", "behind"])
def test_an_index_that_is_not_whole_is_made_from_the_lines(tmp_path: Path, harm: str) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(number) for number in range(4)])
    index = (kept.folder / FAMILY.file_name).with_suffix(".trials")
    raw = index.read_bytes()
    if harm == "lost":
        index.unlink()
    else:
        index.write_bytes(raw[: 24 if harm == "behind" else len(raw) - 5])
    assert kept.size(FAMILY).trials == 4
    kept.append(FAMILY, [entry(9)])
    assert kept.size(FAMILY).trials == 5
    assert len(index.read_bytes()) == 5 * 24


def test_a_line_that_is_no_trial_is_named(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5)])
    path = kept.folder / FAMILY.file_name
    path.write_bytes(b"what?\n" + path.read_bytes())
    with pytest.raises(LedgerDamaged, match=r"Line 1 of sma-cross-BTC-USDT-.*is no trial"):
        list(kept.read(FAMILY))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.unit.backtesting.test_ledger import *\n"
        "kept, first = ledger(Path(sys.argv[1])), int(sys.argv[2])\n"
        "for at in range(20): kept.append(FAMILY, [entry(first + at * 5 + one) for one in range(5)])"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(first)]) for first in (0, 1_000, 2_000)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    kept = ledger(tmp_path)
    assert kept.size(FAMILY).trials == 300
    assert sorted(row["parameters"]["fast"] for row in kept.read(FAMILY)) == sorted(
        first + number for first in (0, 1_000, 2_000) for number in range(100)
    )


def test_lines_are_plain_json(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.append(FAMILY, [entry(5, sharpe=math.nan)])
    line = (kept.folder / FAMILY.file_name).read_text().splitlines()[0]
    assert json.loads(line, parse_constant=pytest.fail)["daily_sharpe"] is None
    assert np.isnan(kept.size(FAMILY).t_values).sum() == 0
