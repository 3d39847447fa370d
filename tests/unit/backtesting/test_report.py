"""The report holds everything, loads nothing, and takes no text for markup."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from backend.backtesting.options import trading_config
from backend.backtesting.record import TRADE_COLUMNS, Record, Source, columns_of, no_trades, record_of
from backend.backtesting.report.charts import Curve, drawdown_chart, equity_chart, histogram, thin
from backend.backtesting.report.page import chart_page, notebook_html, report_html
from backend.backtesting.report.tables import months_table
from backend.backtesting.reproduce import command_of, python_of
from backend.backtesting.summary import rules_in_words, summary
from backend.backtesting.wording import groups_of
from backend.domain.config import TradingConfig
from tests.unit.backtesting.histories import history, random_history, rising_bars
from tests.unit.backtesting.test_run import made

HOSTILE = "<script>alert('1')</script>\"&\x1b[31m"


TRUST: dict[str, Any] = {
    "thorough": False,
    "checks": [{"code": "gaps", "title": HOSTILE, "verdict": HOSTILE, "sentence": HOSTILE, "facts": {}}],
    "band": [{"mode": HOSTILE, "cost_times": 2.0, "total_return": None}],
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "path", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "line", "rect"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def spoiled(record: Record) -> Record:
    """As if everything that somebody may name were hostile."""
    data = [{**one, "symbol": HOSTILE, "instrument": {**one["instrument"], "name": HOSTILE, "currency": HOSTILE}}
            for one in record.manifest["data"]]  # fmt: skip
    strategy = {**record.manifest["strategy"], "origin": HOSTILE}
    config = record.config.model_copy(update={"strategy": HOSTILE, "parameters": {HOSTILE: HOSTILE}})
    return replace(
        record,
        config=config,
        manifest={**record.manifest, "data": data, "strategy": strategy, "parameters": {HOSTILE: HOSTILE}},
        notes=[{"text": HOSTILE}],
        trust=TRUST,
        make_trades=lambda: made_trades(record),
        id=HOSTILE,
        saved_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def made_trades(record: Record) -> Any:
    return record.trades.assign(symbol=HOSTILE, entry_reason=HOSTILE, exit_reason=HOSTILE)


def test_all_statistics_are_there_with_the_reasons_of_missing_ones() -> None:
    record = record_of(made(history(rising_bars())))
    page = Page(report_html(record))
    assert page.open == []
    words = " ".join(page.words)
    lines = [line for group in groups_of(record.statistics, "USD").values() for line in group]
    assert {line.name for line in lines} == {*record.statistics.values, *record.statistics.missing}
    for line in lines:
        assert line.label in words
        assert not line.reason or line.reason in words
    assert record.manifest["data"][0]["content_hash"] in words
    assert "never_trades" in {note["code"] for note in record.notes}
    assert record.notes[0]["text"] in words


def test_it_loads_and_runs_nothing() -> None:
    text = report_html(record_of(made()))
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "a", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    (policy,) = (a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("make", [report_html, notebook_html, lambda record: chart_page(record, "equity")])
def test_names_are_never_markup(make: Any) -> None:
    text = make(spoiled(record_of(made())))
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "\x1b" not in text
    assert page.open == []


def test_a_run_that_never_traded_has_a_report_and_a_table_of_the_same_columns() -> None:
    record = record_of(made(history(rising_bars(60))))
    stored = replace(record, make_trades=no_trades)
    assert "<h2>Trades</h2>" in report_html(stored)
    assert no_trades().dtypes.to_dict() == record.trades.dtypes.to_dict()
    assert columns_of(no_trades()) == {name: [] for name in TRADE_COLUMNS}


def test_a_long_run_stays_small_and_says_that_it_was_thinned() -> None:
    text = report_html(record_of(made(random_history(60_000))))
    assert len(text.encode()) < 400_000
    assert "of 60,000 points: the lowest and the highest" in text


def test_thinning_keeps_every_peak_and_trough() -> None:
    dice = np.random.default_rng(3)
    values = dice.normal(size=50_000)
    values[31_234], values[44_001] = 99.0, -99.0
    rows = thin(values)
    assert len(rows) <= 1_202
    assert {0, 31_234, 44_001, 49_999} <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()
    assert len(thin(values[:700])) == 700
    assert 0 in thin(np.full(5_000, np.nan))


def test_charts_can_draw_what_is_odd() -> None:
    starts = np.arange(5, dtype=np.int64) * 86_400_000_000
    flat, gone = np.full(5, 100.0), np.array([100.0, 50.0, 0.0, 0.0, -5.0])
    grown = np.array([1.0, 5.0, 30.0, 90.0, 200.0])
    for values in (flat, gone, grown, np.full(5, 5e-324)):
        text = equity_chart(starts, [Curve(kind="own", label="x", values=values)]) + drawdown_chart(starts, values)
        assert "nan" not in text
        assert "inf" not in text
    assert "Logarithmic scale" in equity_chart(starts, [Curve(kind="own", label="x", values=grown)])
    assert "no closed trade" in histogram(np.empty(0))
    assert histogram(np.array([0.01])).count("<rect") == 1
    assert histogram(np.zeros(3)).count("<rect") == 1


def test_histogram_counts_every_trade_on_its_side() -> None:
    returns = np.array([-0.5, -0.02, -0.01, 0.0, 0.01, 0.02, 3.0])
    text = histogram(returns)
    counted = [int(found) for found in re.findall(r"<title>(\d+) trade", text)]
    assert sum(counted) == len(returns)
    assert "of them won" in text
    assert "3 of them won" in text


def test_months_compound_to_their_year() -> None:
    text = months_table([{"month": "2024-01", "value": 0.1}, {"month": "2024-03", "value": -0.05}])
    assert "+10.0%" in text
    assert "+4.5%" in text
    assert text.count("<td></td>") == 10


def test_the_reproduce_command_says_what_was_not_usual() -> None:
    done = made(parameters={"fast": 5}, fee_bps=3, stop_percent=2.5, sizing="fraction", size_percent=50)
    config = done.config.model_copy(update={"start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2024, 2, 1, 6, tzinfo=UTC)})  # fmt: skip  # noqa: E501
    record = replace(record_of(done, Source(files=("my bars.csv",), calendar="XNYS", currency="USD")), config=config)
    assert command_of(record) == (
        "tidemark backtest run --strategy sma_cross --param fast=5 --file 'my bars.csv' --calendar XNYS --symbol A"
        " --timeframe 1h --start 2024-01-01 --end 2024-02-01T06:00:00Z --fee-bps 3.0 --sizing fraction"
        " --size-percent 50.0 --stop-percent 2.5"
    )
    assert "load_bars('my bars.csv', 'A', '1h', '2024-01-01'" in python_of(record)
    assert "backtest('sma_cross', bars, {'fast': 5}, fee_bps=3.0" in python_of(record)


def test_the_summary_fits_its_width() -> None:
    record = record_of(made())
    for width in (60, 100, 200):
        text = summary(record, width)
        assert "Closed trades" in text
        rows = text.partition("Not computed")[0].splitlines()
        assert max(len(row) for row in rows if row.startswith("  ")) <= 100
    assert max(len(row) for row in summary(record, 60).splitlines() if row.startswith("  Closed")) <= 60


def test_trust_stands_in_the_report_and_in_the_summary_where_somebody_asked() -> None:
    record = record_of(made(random_history(400, seed=3)))
    assert "How far to trust it" not in report_html(record)
    assert "\nTrust\n" not in summary(record)
    check = {
        "code": "trades",
        "title": "Number of trades",
        "verdict": "doubtful",
        "sentence": "3 are few.",
        "facts": {},
    }
    band = [{"mode": "neutral", "cost_times": 3.0, "total_return": -0.123}]
    asked = replace(record, trust={"thorough": True, "checks": [check], "band": band})
    page = " ".join(Page(report_html(asked)).words)
    assert "How far to trust it Question Verdict Answer Number of trades doubtful 3 are few." in page
    assert "Neutral, costs 3 times \u221212.30%" in page
    assert summary(asked).endswith("Trust\n  doubtful  Number of trades: 3 are few.")


def test_the_head_tells_all_rules_that_are_not_the_default() -> None:
    plain = TradingConfig()
    assert rules_in_words(plain.model_dump(mode="json")) == "fee 10 bps"
    bold = trading_config(
        {
            "fee_bps": 5,
            "slippage_bps": 2,
            "sides": "both",
            "sizing": "fraction",
            "size_percent": 50,
            "leverage": 3,
            "most_positions": 4,
            "limit_life_bars": 6,
            "volume_percent": 10,
            "stop_percent": 2,
            "target_percent": 3.5,
            "trail_percent": 1,
            "intrabar": "neutral",
            "detail": "1h",
        }
    )
    assert rules_in_words(bold.model_dump(mode="json")) == (
        "fee 5 bps, slippage 2 bps, long and short, 50 % of equity an entry, leverage 3, positions at most 4,"
        " limits for 6 bars, at most 10 % of a bar's volume and the rest carried over, stop 2 %, target 3.5 %,"
        " trailing stop 1 %, neutral inside a bar, bars of 1h inside"
    )
