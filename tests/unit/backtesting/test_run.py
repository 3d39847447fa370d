"""A run from its stored form to its manifest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtesting.families import course_of, written_down
from backend.backtesting.ledger import Ledger
from backend.backtesting.manifest import changes, engine_hash, manifest_of
from backend.backtesting.objectives import Objective
from backend.backtesting.options import OPTIONS, trading_config
from backend.backtesting.record import Record, record_of
from backend.backtesting.run import Run, run
from backend.backtesting.space import ParameterSpace
from backend.backtesting.sweep import sweep
from backend.backtesting.trust import Examined, examine, quality_of
from backend.backtesting.verdicts import Band, Check, Trust, Verdict, trust_document, trust_of
from backend.domain.backtest_errors import CannotReplay
from backend.domain.config import RunConfig, SeriesConfig, TradingConfig
from backend.domain.errors import InvalidInput
from backend.domain.market import Timeframe
from backend.domain.market_ports import Loaded
from backend.domain.strategies.registry import StrategyRegistry
from backend.domain.strategy_errors import InvalidParameters, NotEnoughHistory
from tests.fake_calendars import FakeCalendars
from tests.unit.backtesting.histories import history, random_history, rising_bars
from tests.unit.backtesting.markets import random_bars


def made(
    *histories: Loaded, strategy: str = "sma_cross", parameters: dict[str, Any] | None = None, **options: Any
) -> Run:
    held = histories or (random_history(),)
    config = RunConfig(
        strategy=strategy,
        parameters=parameters or {},
        series=tuple(SeriesConfig(provider="import", symbol=one.series.symbol, timeframe=Timeframe.H1) for one in held),
        trading=trading_config(options),
    )
    return run(config, held, StrategyRegistry(points=tuple).get(strategy))


def test_the_same_inputs_leave_the_same_manifest() -> None:
    first, second = manifest_of(made()), manifest_of(made())
    assert first == second
    assert changes(first, second) == []
    assert first == json.loads(json.dumps(first))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: made(random_history(seed=8)), "The bars of A changed: 3,000 then"),
        (lambda: made(parameters={"fast": 21}), "The parameter fast changed: 20 then, 21 now."),
        (lambda: made(fee_bps=0), "The trading rule costs.maker_bps changed: 10.0 then, 0.0 now."),
        (lambda: made(history(random_bars(3_000, 7), lot=1.0)), "The fact of A lot changed: None then, 1.0 now."),
        (lambda: made(random_history(), random_history(seed=9, symbol="B")), "The symbol B was added."),
    ],
)
def test_what_changed_is_named(other: Any, words: str) -> None:
    assert any(line.startswith(words) for line in changes(manifest_of(made()), manifest_of(other())))


def test_changed_code_is_named() -> None:
    before, now = manifest_of(made()), manifest_of(made())
    now["code"] = {**now["code"], "engine": "other", "version": "9.9.9"}
    now["strategy"] = {**now["strategy"], "source_hash": "another"}
    found = changes(before, now)
    assert len(found) == 3
    assert "The source of the strategy sma_cross changed" in found[0]
    assert f"{engine_hash()[:12]} then, other now" in found[1]


def test_a_record_survives_its_stored_form() -> None:
    record = record_of(made())
    again = Record.of(
        json.loads(json.dumps(record.config_document())),
        json.loads(json.dumps(record.manifest)),
        json.loads(json.dumps(record.figures())),
        lambda: record.trades,
        lambda: record.equity,
    )
    assert again.config == record.config
    assert again.source == record.source
    assert again.document(tables=True) == record.document(tables=True)


def test_tables_tell_what_the_engine_did() -> None:
    done = made(fee_bps=7)
    record = record_of(done)
    trades, equity = record.trades, record.equity
    assert len(trades) == len(done.result.trades)
    assert (trades["entry_time"] <= trades["exit_time"]).all()
    assert trades["pnl"].sum() == pytest.approx(done.result.equity[-1] - done.result.start_cash)
    np.testing.assert_array_equal(equity["equity"].to_numpy(), done.result.equity)
    assert equity["benchmark"].iloc[0] == pytest.approx(done.result.start_cash)
    assert set(trades["exit_reason"]) >= {"The 20-bar average crossed beneath the 50-bar average"}


def test_silence_is_said() -> None:
    done = made(history(rising_bars()))
    assert len(done.result.trades) == 0
    assert done.notes[0].code == "never_trades"
    assert "200 bars" in done.notes[0].text


def test_gaps_are_said() -> None:
    bars = random_bars(500, 4)
    cut = bars.drop(index=[*range(100, 110), 300]).reset_index(drop=True)
    (note,) = [note for note in made(history(cut)).notes if note.code == "gaps"]
    assert note.text == (
        "The bars of A have 2 gaps: 11 bars are missing, the longest row of them, 10, after 1970-01-05 03:00 UTC."
    )
    assert not [note for note in made(history(bars)).notes if note.code == "gaps"]


def test_one_account_holds_one_currency() -> None:
    with pytest.raises(CannotReplay, match="priced in EUR and USD"):
        made(random_history(), history(random_bars(3_000, 9), "B", currency="EUR"))


def test_every_trade_has_its_own_words() -> None:
    done = made(random_history(), random_history(seed=9, symbol="B"), sides="both", stop_percent=2)
    trades = record_of(done).trades
    told = list(zip(trades["entry_reason"], trades["exit_reason"], strict=True))
    assert told == [done.result.why(row) for row in range(len(trades))]
    assert "stop" in set(trades["exit_reason"])


def test_symbols_are_asked_beside_each_other() -> None:
    done = made(*(random_history(seed=seed, symbol=name) for seed, name in enumerate("ABC")), strategy="momentum_rank")
    assert len(done.signals) == 3
    assert set(done.result.symbols) == {"A", "B", "C"}


def test_too_little_history_and_bad_parameters_are_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="needs 50 bars"):
        made(random_history(40))
    with pytest.raises(InvalidParameters, match="Did you mean 'fast'"):
        made(parameters={"fsat": 2})
    with pytest.raises(CannotReplay, match="5m inside its bars; A has none"):
        made(detail="5m")


def test_flat_options_fill_the_stored_form() -> None:
    config = trading_config({"fee_bps": 5, "taker_bps": 8, "sizing": "risk", "size_percent": 1, "cash": None})
    assert (config.costs.maker_bps, config.costs.taker_bps) == (5, 8)
    assert (config.sizing.method, config.sizing.percent, config.cash) == ("risk", 1, TradingConfig().cash)


def test_every_field_has_an_option() -> None:
    fields = {field for names in OPTIONS.values() for field in names}
    whole = TradingConfig().model_dump()
    assert fields == {
        *(f"{group}/{name}" for group in ("costs", "sizing", "execution") for name in whole[group]),
        "cash",
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"leverage": -1}, "leverage is -1; it should be greater than 0."),
        ({"sizing": "fraction"}, "Say it: size_percent"),
        ({"size_amount": 3}, "Leave it out: size_amount"),
        ({"fee_bsp": 3}, "Did you mean 'fee_bps'?"),
        ({"cash": float("nan")}, "cash is nan"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        trading_config(options)
    assert words in refused.value.detail


def test_a_record_keeps_what_the_trust_panel_came_to() -> None:
    done = made(random_history(1_500))
    trust = examine(Examined.of(done, quality=quality_of(done.histories, FakeCalendars())))
    record = record_of(done).trusted(trust)
    stored = json.loads(json.dumps(record.figures(), allow_nan=False))
    again = Record.of(record.config_document(), record.manifest, stored, record.make_trades, record.make_equity)
    assert again.trust is not None
    assert trust_of(again.trust) == trust
    assert trust["gaps"].facts == {"missing": 0, "expected": 1_500, "suspects": 0}
    del stored["trust"]  # as it was stored before there was one
    older = Record.of(record.config_document(), record.manifest, stored, record.make_trades, record.make_equity)
    assert older.trust is None
    assert older.document()["trust"] is None


def test_a_number_that_is_not_finite_becomes_null_in_the_document() -> None:
    check = Check(code="a", title="A", verdict=Verdict.BAD, sentence="So.", facts={"far": float("inf"), "n": 3})
    band = Band(mode="neutral", cost_times=1.0, total_return=float("nan"))
    document = trust_document(Trust(checks=(check,), band=(band,), thorough=True))
    assert document["checks"][0]["facts"] == {"far": None, "n": 3}
    assert document["band"][0]["total_return"] is None
    json.dumps(document, allow_nan=False)
    assert trust_of(document).thorough


def test_a_calendar_that_nobody_knows_leaves_gaps_unknown() -> None:
    lone = random_history(100)
    instrument = replace(lone.instrument, calendar="XNOW")
    assert quality_of([replace(lone, instrument=instrument)], FakeCalendars()) == ()


def test_each_run_is_a_trial_of_its_family_once(tmp_path: Path) -> None:
    ledger, bars = Ledger(tmp_path), random_history(1_500)
    first = written_down(made(bars), ledger)
    assert (first.trials, len(first.t_values)) == (1, 1)
    assert written_down(made(bars), ledger).trials == 1
    assert written_down(made(bars, parameters={"fast": 10}), ledger).trials == 2
    assert written_down(made(bars, fee_bps=1.0), ledger).trials == 3
    assert written_down(made(bars, strategy="buy_and_hold"), ledger).trials == 1


def test_a_run_and_the_same_trial_of_a_sweep_count_once(tmp_path: Path) -> None:
    ledger, done = Ledger(tmp_path), made(random_history(1_500), parameters={"fast": 10})
    written_down(done, ledger)
    space = ParameterSpace.of(done.listed.strategy, {"fast": [10, 20]})
    found = sweep(course_of(done), space, Objective.named("sharpe"), ledger=ledger)
    assert found.in_family.trials == 2
