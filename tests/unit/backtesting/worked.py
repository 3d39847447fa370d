"""Reads the worked examples of docs/fills.md: settings, bars, signals and the fills that they must lead to."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backend.backtesting.engine import Feed
from backend.backtesting.result import Result
from backend.domain.bars import check_bars
from backend.domain.config import TradingConfig
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals
from backend.domain.trading.trade_statistics import WHY

PAGE = Path(__file__).parents[3] / "docs" / "fills.md"
START = pd.Timestamp("2024-01-01T00:00:00Z")
DIRECTIONS = {"LONG": LONG, "SHORT": SHORT, "FLAT": FLAT, "KEEP": KEEP}
PRICES = ("open", "high", "low", "close")

Row = dict[str, str]


@dataclass
class Example:
    """One heading of the third level with what stands below it."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    bars: list[Row] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)

    @property
    def symbols(self) -> list[str]:
        return list(dict.fromkeys(row.get("symbol", "") for row in self.bars))

    @property
    def config(self) -> TradingConfig:
        costs = {"maker_bps": 0, "taker_bps": 0, **self.settings.get("costs", {})}
        execution = {"sides": "both", **self.settings.get("execution", {})}
        sizing = self.settings.get("sizing", {"method": "quantity", "amount": 1})
        return TradingConfig.model_validate(
            {"cash": 1000, "costs": costs, "execution": execution, "sizing": sizing}, strict=False
        )

    def feeds(self) -> list[Feed]:
        return [self._feed(symbol) for symbol in self.symbols]

    def _feed(self, symbol: str) -> Feed:
        rows = [row for row in self.bars if row.get("symbol", "") == symbol]
        said = [_said(row["says"]) for row in rows]
        names = sorted({name for _, values in said for name in values})
        columns: dict[str, Any] = {name: [values.get(name, np.nan) for _, values in said] for name in names}
        signals = Signals.of(
            [direction for direction, _ in said],
            bars=len(rows),
            **columns,
        )
        times = [START + pd.Timedelta(hours=int(row["bar"])) for row in rows]
        bars = check_bars(_frame(times, rows), Timeframe.H1, ALWAYS)
        return Feed(
            symbol=symbol,
            timeframe=Timeframe.H1,
            calendar=ALWAYS,
            bars=bars,
            signals=signals,
            tick=self.settings.get("tick"),
            lot=self.settings.get("lot"),
            detail=self._detail(),
        )

    def _detail(self) -> pd.DataFrame | None:
        if not self.parts:
            return None
        times = [START + pd.Timedelta(minutes=60 * int(row["bar"]) + 30 * int(row["part"])) for row in self.parts]
        return check_bars(_frame(times, self.parts), Timeframe.M30, ALWAYS)

    def expected_fills(self) -> list[tuple[int, str, str]]:
        return [
            (int(row["bar"]), row.get("symbol", ""), fill.strip())
            for row in self.bars
            for fill in row["fills"].split(";")
            if fill.strip()
        ]

    def expected_equity(self) -> dict[int, float]:
        return {int(row["bar"]): float(row["equity"]) for row in self.bars if row.get("equity")}


def read_examples() -> list[Example]:
    examples: list[Example] = []
    header: list[str] = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("### "):
            examples.append(Example(name=line[4:].strip()))
        elif line.startswith("Settings: "):
            examples[-1].settings = json.loads(re.findall(r"`(.*)`", line)[0])
        elif line.startswith("Notes: "):
            examples[-1].notes = set(re.findall(r"`(\w+)`", line))
        elif line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0] == "bar":
                header = cells
            else:
                row = dict(zip(header, cells, strict=True))
                (examples[-1].parts if "part" in row else examples[-1].bars).append(row)
    return examples


def told_fills(result: Result, *, decimals: int = 6) -> list[tuple[int, str, str]]:
    """The fills of a result in the words of the page."""
    told = []
    for fill in result.fills:
        verb = "buy" if fill["quantity"] > 0 else "sell"
        text = f"{verb} {_short(abs(fill['quantity']), decimals)} at {_short(fill['price'], decimals)}"
        text += f" ({WHY[int(fill['why'])]})"
        fee = f" fee {_short(fill['fee'], decimals)}" if fill["fee"] else ""
        told.append((int(fill["bar"]), result.symbols[fill["symbol"]], text + fee))
    return told


def rounded(fill: tuple[int, str, str], *, decimals: int = 6) -> tuple[int, str, str]:
    """An expected fill with its numbers as precise as ours are told."""
    bar, symbol, text = fill
    return bar, symbol, re.sub(r"\d+(\.\d+)?", lambda number: _short(float(number[0]), decimals), text)


def _short(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def _said(text: str) -> tuple[int, dict[str, float]]:
    words = text.split()
    if not words:
        return KEEP, {}
    return DIRECTIONS[words[0]], {name: float(value) for name, value in zip(words[1::2], words[2::2], strict=True)}


def _frame(times: list[pd.Timestamp], rows: list[Row]) -> pd.DataFrame:
    values = {name: [float(row[name]) for row in rows] for name in PRICES}
    return pd.DataFrame({"ts": times, **values, "volume": [float(row.get("volume", "1000")) for row in rows]})
