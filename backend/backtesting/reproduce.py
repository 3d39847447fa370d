"""How to run the same again: as a command, and in Python."""

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from backend.backtesting.options import OPTIONS
from backend.domain.config import TradingConfig

if TYPE_CHECKING:
    from backend.backtesting.record import Record

_ONE_BY_ONE: Final = {name: fields[0] for name, fields in OPTIONS.items() if len(fields) == 1}


def command_of(record: "Record") -> str:
    """One line for a shell; nothing that was left at its default is in it."""
    words = ["tidemark", "backtest", "run", "--strategy", place_of_strategy(record)]
    for name, value in record.config.parameters.items():
        words += ["--param", f"{name}={_text(value)}"]
    words += _bars(record)
    for name, value in changed_options(record).items():
        words += [f"--{name.replace('_', '-')}", _text(value)]
    if record.config.seed:
        words += ["--seed", str(record.config.seed)]
    return shlex.join(words)


def python_of(record: "Record") -> str:
    config, source = record.config, record.source
    loads = []
    for place, series in enumerate(config.series):
        first: list[str | None] = [source.files[place]] if source.files else [series.provider]
        about = [*first, series.symbol, series.timeframe.value]
        about += [None if moment is None else _moment(moment) for moment in (config.start, config.end)]
        extra = _file_options(record) if source.files else _adjustment(series.adjustment.value)
        if config.trading.execution.detail is not None:
            inside = source.detail_files[place] if source.detail_files else config.trading.execution.detail.value
            extra["detail"] = inside
        loads.append(f"load_bars({', '.join([*map(repr, about), *(f'{k}={v!r}' for k, v in extra.items())])})")
    bars = loads[0] if len(loads) == 1 else f"[{', '.join(loads)}]"
    options = {**changed_options(record), **({"seed": config.seed} if config.seed else {})}
    options.pop("detail", None)
    told = [repr(place_of_strategy(record)), "bars", repr(dict(config.parameters))]
    told += [f"{name}={value!r}" for name, value in options.items()]
    return f"from backend.research import backtest, load_bars\n\nbars = {bars}\nresult = backtest({', '.join(told)})"


def place_of_strategy(record: "Record") -> str:
    """A strategy of a file by its file, any other by its name."""
    origin = str(record.manifest["strategy"]["origin"])
    return origin if origin.endswith(".py") else record.config.strategy


def changed_options(record: "Record") -> dict[str, Any]:
    trading, usual = record.config.trading.model_dump(mode="json"), TradingConfig().model_dump(mode="json")
    changed = {
        name: _at(trading, field) for name, field in _ONE_BY_ONE.items() if _at(trading, field) != _at(usual, field)
    }
    if "maker_bps" in changed and changed.get("maker_bps") == changed.get("taker_bps"):
        changed = {"fee_bps": changed.pop("maker_bps"), **{k: v for k, v in changed.items() if k != "taker_bps"}}
    return changed


def _bars(record: "Record") -> list[str]:
    config, source = record.config, record.source
    words: list[str] = []
    if source.files:
        for file in source.files:
            words += ["--file", file]
        for name, value in _file_options(record).items():
            words += [f"--{name}", value]
    else:
        words += ["--provider", config.series[0].provider]
        for name, value in _adjustment(config.series[0].adjustment.value).items():
            words += [f"--{name}", value]
    for series in config.series:
        words += ["--symbol", series.symbol]
    words += ["--timeframe", config.series[0].timeframe.value]
    for name, moment in (("start", config.start), ("end", config.end)):
        words += [] if moment is None else [f"--{name}", _moment(moment)]
    return words


def _file_options(record: "Record") -> dict[str, str]:
    usual = {"calendar": "24/7", "currency": "USD", "zone": "UTC"}
    given = {name: getattr(record.source, name) for name in usual}
    return {name: value for name, value in given.items() if value and value != usual[name]}


def _adjustment(adjustment: str) -> dict[str, str]:
    return {} if adjustment == "raw" else {"adjustment": adjustment}


def _moment(moment: Any) -> str:
    midnight = moment.hour == moment.minute == moment.second == 0
    return str(moment.date()) if midnight else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(document: dict[str, Any], field: str) -> Any:
    value: Any = document
    for part in field.split("/"):
        value = value[part]
    return value
