"""A run's trading rules by flat names, as options of a command or of a function have them."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from backend.domain.config import TradingConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.market import closest

# Name -> the fields of the stored form that it sets.
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "cash": ("cash",),
    "fee_bps": ("costs/maker_bps", "costs/taker_bps"),
    "maker_bps": ("costs/maker_bps",),
    "taker_bps": ("costs/taker_bps",),
    "minimum_fee": ("costs/minimum_fee",),
    "slippage_bps": ("costs/slippage_bps",),
    "spread_bps": ("costs/spread_bps",),
    "impact_bps": ("costs/impact_bps",),
    "borrow_percent_a_year": ("costs/borrow_percent_a_year",),
    "sizing": ("sizing/method",),
    "size_percent": ("sizing/percent",),
    "size_amount": ("sizing/amount",),
    "volatility_bars": ("sizing/volatility_bars",),
    "sides": ("execution/sides",),
    "intrabar": ("execution/intrabar",),
    "detail": ("execution/detail",),
    "limit_life_bars": ("execution/limit_life_bars",),
    "stop_percent": ("execution/stop_percent",),
    "target_percent": ("execution/target_percent",),
    "trail_percent": ("execution/trail_percent",),
    "volume_percent": ("execution/volume_percent",),
    "remainder": ("execution/remainder",),
    "leverage": ("execution/leverage",),
    "most_positions": ("execution/most_positions",),
}
_NAMES: Final = {"costs/maker_bps": "maker_bps", "costs/taker_bps": "taker_bps"} | {
    field: name for name, fields in OPTIONS.items() if len(fields) == 1 for field in fields
}


def trading_config(options: Mapping[str, Any]) -> TradingConfig:
    """Those that are None keep their default. Raises InvalidInput, which names each option that cannot be used."""
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise InvalidInput(
            [InputError(pointer=f"/{name}", detail=_unknown(name)) for name in unknown],
            " ".join(_unknown(name) for name in unknown),
        )
    document: dict[str, Any] = {}
    # What is said for both fees comes first, so that one of them may differ.
    for name in sorted(options, key=lambda name: -len(OPTIONS[name])):
        if options[name] is not None:
            for field in OPTIONS[name]:
                _put(document, field, options[name])
    try:
        return TradingConfig.model_validate(document)
    except ValidationError as problem:
        raise _refused(problem, options) from None


def _unknown(name: str) -> str:
    meant = closest(name, list(OPTIONS), most=1)
    hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(OPTIONS)}."
    return f"There is no option '{name[:60]}'. {hint}"


def _put(document: dict[str, Any], field: str, value: Any) -> None:
    *groups, name = field.split("/")
    for group in groups:
        document = document.setdefault(group, {})
    document[name] = value


def _refused(problem: ValidationError, options: Mapping[str, Any]) -> InvalidInput:
    found: list[InputError] = []
    for error in problem.errors(include_url=False):
        path = "/".join(str(part) for part in error["loc"])
        name = _NAMES.get(path, path)
        if options.get(name) is None:  # one name that was given stands for several fields
            given = (each for each, fields in OPTIONS.items() if path in fields and options.get(each) is not None)
            name = next(given, name)
        said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if error["type"] == "value_error":
            needed = "size_percent" if said.endswith("percent") else "size_amount"
            step = "Leave it out" if "takes no" in said else "Say it"
            detail = f"{said[:1].upper()}{said[1:]}. {step}: {needed} (--{needed.replace('_', '-')})."
        else:
            detail = f"{name} is {error['input']!r:.40}; it {said}."
        found.append(InputError(pointer=f"/{name}", detail=detail))
    found = list(dict.fromkeys(found))
    return InvalidInput(found, " ".join(each.detail for each in found))
