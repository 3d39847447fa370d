"""A finished run as plain documents and tables: what is stored, shown, exported and reported."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from backend.backtesting.analysis import buy_and_hold
from backend.backtesting.manifest import manifest_of
from backend.backtesting.run import Run
from backend.backtesting.verdicts import Trust, trust_document
from backend.domain.config import RunConfig
from backend.domain.trading.layout import STILL_OPEN
from backend.domain.trading.statistics import Statistics
from backend.domain.trading.trade_statistics import returns_of_trades

TRADE_COLUMNS: Final = (
    "symbol",
    "side",
    "entry_time",
    "exit_time",
    "quantity",
    "entry_price",
    "exit_price",
    "pnl",
    "return",
    "fees",
    "slippage",
    "financing",
    "mae",
    "mfe",
    "bars_held",
    "is_open",
    "entry_reason",
    "exit_reason",
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a run's bars came from, so that they can be loaded again."""

    files: tuple[str, ...] = ()  # in the order of the series; none = the market cache or its provider
    detail_files: tuple[str, ...] = ()
    calendar: str | None = None
    currency: str | None = None
    zone: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One run. `id` and `saved_at` are there once it is stored."""

    config: RunConfig
    source: Source
    manifest: Mapping[str, Any]
    statistics: Statistics
    groups: Mapping[str, Sequence[Mapping[str, Any]]]
    months: Sequence[Mapping[str, Any]]
    notes: Sequence[Mapping[str, Any]]
    make_trades: Callable[[], pd.DataFrame] = field(repr=False)  # tables are made when somebody asks for them
    make_equity: Callable[[], pd.DataFrame] = field(repr=False)
    trust: Mapping[str, Any] | None = None  # the document of its trust panel, where somebody asked
    id: str | None = None
    saved_at: datetime | None = None

    @cached_property
    def trades(self) -> pd.DataFrame:
        """A row for each trade."""
        return self.make_trades()

    @cached_property
    def equity(self) -> pd.DataFrame:
        """A row for each bar: ts, equity, benchmark, cash, exposure."""
        return self.make_equity()

    @property
    def title(self) -> str:
        symbols = ", ".join(one.symbol for one in self.config.series[:4])
        more = f" and {len(self.config.series) - 4} more" if len(self.config.series) > 4 else ""
        return f"{self.config.strategy} on {symbols}{more}, {self.config.series[0].timeframe}"

    @property
    def currency(self) -> str:
        return str(self.manifest["data"][0]["instrument"]["currency"])

    @property
    def is_simulated(self) -> bool:
        return any(one["instrument"]["is_simulated"] for one in self.manifest["data"])

    def stored_as(self, run_id: str, saved_at: datetime) -> Self:
        return replace(self, id=run_id, saved_at=saved_at)

    def trusted(self, trust: Trust) -> Self:
        """With what the trust panel came to."""
        return replace(self, trust=trust_document(trust))

    def config_document(self) -> dict[str, Any]:
        return {**self.config.model_dump(mode="json"), "source": asdict(self.source)}

    def figures(self) -> dict[str, Any]:
        """All but the tables, the config and the manifest."""
        return {
            "statistics": dict(self.statistics.values),
            "missing": dict(self.statistics.missing),
            "groups": {name: [dict(one) for one in rows] for name, rows in self.groups.items()},
            "months": [dict(one) for one in self.months],
            "notes": [dict(one) for one in self.notes],
            "trust": None if self.trust is None else dict(self.trust),
        }

    def document(self, *, tables: bool = False) -> dict[str, Any]:
        """The whole as JSON; with its trades and its equity when they are wanted too."""
        whole = {
            "id": self.id,
            "saved_at": None if self.saved_at is None else self.saved_at.isoformat(),
            "config": self.config_document(),
            "manifest": dict(self.manifest),
            **self.figures(),
        }
        if tables:
            whole["trades"] = rows_of(self.trades)
            whole["equity"] = columns_of(self.equity)
        return whole

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        manifest: Mapping[str, Any],
        figures: Mapping[str, Any],
        make_trades: Callable[[], pd.DataFrame],
        make_equity: Callable[[], pd.DataFrame],
    ) -> Self:
        """From its stored parts."""
        source: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config["source"].items()
        }
        return cls(
            config=RunConfig.model_validate_json(
                json.dumps({name: value for name, value in config.items() if name != "source"})
            ),
            source=Source(**source),
            manifest=manifest,
            statistics=Statistics(values=figures["statistics"], missing=figures["missing"]),
            groups=figures["groups"],
            months=figures["months"],
            notes=figures["notes"],
            trust=figures.get("trust"),
            make_trades=make_trades,
            make_equity=make_equity,
        )


def record_of(run: Run, source: Source | None = None, *, trust: Trust | None = None) -> Record:
    return Record(
        config=run.config,
        source=source or Source(),
        manifest=manifest_of(run),
        statistics=run.analysis.statistics,
        groups={name: [asdict(one) for one in rows] for name, rows in run.analysis.groups.items()},
        months=[asdict(one) for one in run.analysis.months],
        notes=[asdict(one) for one in run.notes],
        trust=None if trust is None else trust_document(trust),
        make_trades=partial(trades_frame, run),
        make_equity=partial(equity_frame, run),
    )


def trades_frame(run: Run) -> pd.DataFrame:
    """One row a trade, in the order of their exits; those still open come last, marked at the last close."""
    trades, starts = run.result.trades, run.result.starts
    is_open = trades["exit_why"] == STILL_OPEN
    entered, left = _words(run, "entry"), _words(run, "exit")
    names = np.array(run.result.symbols, dtype=object)
    columns: dict[str, Any] = {
        "symbol": names[trades["symbol"]],
        "side": np.where(trades["quantity"] > 0, "long", "short").astype(object),
        "entry_time": _times(starts[trades["entry_bar"]]),
        "exit_time": _times(starts[trades["exit_bar"]]),
        "quantity": np.abs(trades["quantity"]),
        "entry_price": trades["entry_price"],
        "exit_price": trades["exit_price"],
        "pnl": trades["pnl"],
        "return": returns_of_trades(trades),
        "fees": trades["fees"],
        "slippage": trades["slippage"],
        "financing": trades["financing"],
        "mae": trades["mae"].astype(np.float64),
        "mfe": trades["mfe"].astype(np.float64),
        "bars_held": (trades["exit_bar"] - trades["entry_bar"]).astype(np.int64),
        "is_open": is_open,
        "entry_reason": entered,
        "exit_reason": left,
    }
    # The columns of a record array lie apart; a table of its own does not hold on to it.
    return pd.DataFrame(
        {name: values.copy() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    )


def no_trades() -> pd.DataFrame:
    """The table of a run that never traded: nothing is stored of it, and its columns are there all the same."""
    kinds = {"entry_time": "datetime64[us, UTC]", "exit_time": "datetime64[us, UTC]", "is_open": "bool"}
    kinds |= {"bars_held": "int64", **dict.fromkeys(("symbol", "side", "entry_reason", "exit_reason"), "object")}
    return pd.DataFrame({name: pd.Series([], dtype=kinds.get(name, "float64")) for name in TRADE_COLUMNS})


def _words(run: Run, end: str) -> Any:
    """Why trades began or ended. There are few texts for many trades, so each is looked up once."""
    trades = run.result.trades
    code = (trades["symbol"].astype(np.int64) << 32) + (trades[f"{end}_reason"].astype(np.int64) << 8)
    _, first, place = np.unique(code + trades[f"{end}_why"], return_index=True, return_inverse=True)
    told = [run.result.why(int(row))[0 if end == "entry" else 1] for row in first]
    return np.array(told, dtype=object)[place] if told else np.empty(0, dtype=object)


def equity_frame(run: Run) -> pd.DataFrame:
    """One row a bar: what there was at its close, what buying and holding would have come to, and what was held."""
    result = run.result
    return pd.DataFrame(
        {
            "ts": _times(result.starts),
            "equity": result.equity,
            "benchmark": buy_and_hold(result, np.arange(len(result.starts))) * result.start_cash,
            "cash": result.cash,
            "exposure": result.exposure,
        }
    )


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = _plain(frame)
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def columns_of(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return _plain(frame)


def _plain(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Times as ISO text in UTC, what is not finite as nothing; numbers as they are."""
    plain: dict[str, list[Any]] = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            plain[str(name)] = values.dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
        elif values.dtype.kind == "f":
            plain[str(name)] = [each if np.isfinite(each) else None for each in values.tolist()]
        else:
            plain[str(name)] = values.tolist()
    return plain


def _times(starts: Any) -> "pd.Series[pd.Timestamp]":
    return pd.Series(pd.array(np.array(starts, np.int64), dtype=pd.DatetimeTZDtype("us", "UTC")))
