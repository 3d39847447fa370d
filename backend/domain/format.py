"""Every number and time that a person reads in a report, a mail or a terminal.

The web app's twin is frontend/src/shared/format.ts; format.golden.json beside it holds what both must say, byte for
byte. Rounding is half away from zero on the decimal text. What is missing is a dash, never 0 and never NaN.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Numeric = str | int | float | Decimal | None
Instant = str | datetime | None
Precision = Literal["second", "minute"]

MISSING: Final = "—"
MINUS: Final = "\N{MINUS SIGN}"

_DECIMAL = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LARGEST_EXPONENT = 400

# currency -> (decimals, symbol before the number; without one the code stands after it)
_CURRENCIES: Final[dict[str, tuple[int, str]]] = {
    "USD": (2, "$"),
    "EUR": (2, "€"),
    "GBP": (2, "£"),
    "JPY": (0, "¥"),
    "CHF": (2, ""),
    "CAD": (2, ""),
    "AUD": (2, ""),
    "USDT": (2, ""),
    "USDC": (2, ""),
    "BTC": (8, ""),
    "ETH": (8, ""),
}
_COMPACT_UNITS = ("", "K", "M", "B", "T")
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class _Number(NamedTuple):
    """`coefficient` times 10 to the minus `scale`, with the sign kept apart so that rounding never sees it."""

    negative: bool
    coefficient: int
    scale: int


def fixed(value: Numeric, decimals: int, *, signed: bool = False) -> str:
    """`1,234.50`: a fixed count of decimals."""

    def write(number: _Number) -> str:
        rounded = _round(number, decimals)
        return _sign_of(rounded, signed=signed) + _digits_of(rounded)

    return _written(value, write)


def integer(value: Numeric) -> str:
    """`1,234`: counts."""
    return fixed(value, 0)


def ratio(value: Numeric) -> str:
    """`1.85`: Sharpe, profit factor and their like."""
    return fixed(value, 2)


def money(value: Numeric, currency: str, *, signed: bool = False) -> str:
    """`$1,234.50`, `¥1,235`, `0.50000000 BTC`: an unknown currency shows two to eight decimals and its code."""

    def write(number: _Number) -> str:
        code = currency.upper()
        decimals, symbol = _CURRENCIES.get(code, (None, ""))
        rounded = _trim(_round(number, 8), least=2) if decimals is None else _round(number, decimals)
        sign, digits = _sign_of(rounded, signed=signed), _digits_of(rounded)
        return f"{sign}{symbol}{digits}" if symbol or not code else f"{sign}{digits} {code}"

    return _written(value, write)


def price(value: Numeric, tick: Numeric = None) -> str:
    """A price with the decimals of its market's tick; without a tick every digit that was given."""
    return _at_step(value, tick)


def quantity(value: Numeric, lot: Numeric = None) -> str:
    """A quantity with the decimals of its market's lot; without a lot every digit that was given."""
    return _at_step(value, lot)


def change(fraction: Numeric, decimals: int = 2) -> str:
    """`+1.24%` from the fraction 0.0124: a signed change."""
    return _percentage(fraction, decimals, signed=True)


def percent(fraction: Numeric, decimals: int = 2) -> str:
    """`1.24%` from the fraction 0.0124: a share, a rate, a drawdown."""
    return _percentage(fraction, decimals, signed=False)


def bps(value: Numeric) -> str:
    """`12.5 bps`: costs. The value is in basis points already."""

    def write(number: _Number) -> str:
        rounded = _trim(_round(number, 1))
        unit = "bp" if (rounded.coefficient, rounded.scale) == (1, 0) else "bps"
        return f"{_sign_of(rounded)}{_digits_of(rounded)} {unit}"

    return _written(value, write)


def compact(value: Numeric) -> str:
    """`1.24M`: three significant digits for axes and tiles, where the exact number is one step away."""

    def write(number: _Number) -> str:
        unit = 0
        while unit < len(_COMPACT_UNITS) - 1 and _reaches_thousand(_significant(number, unit)):
            unit += 1
        rounded = _significant(number, unit)
        return _sign_of(rounded) + _digits_of(_trim(rounded)) + _COMPACT_UNITS[unit]

    return _written(value, write)


def bytes_(value: Numeric) -> str:
    """`1.5 MiB`: sizes in powers of 1,024."""

    def write(number: _Number) -> str:
        whole = _round(number, 0)
        sign = _sign_of(whole)
        if whole.coefficient < 1024:
            return f"{sign}{whole.coefficient} B"
        unit = 1
        while unit < len(_BYTE_UNITS) - 1 and _tenths_of(whole.coefficient, unit) >= 10240:
            unit += 1
        tenths = _Number(negative=False, coefficient=_tenths_of(whole.coefficient, unit), scale=1)
        return f"{sign}{_digits_of(tenths)} {_BYTE_UNITS[unit]}"

    return _written(value, write)


def duration(seconds: Numeric) -> str:
    """`350 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units, from seconds."""

    def write(number: _Number) -> str:
        return _sign_of(number) + _unsigned_duration(number._replace(negative=False))

    return _written(seconds, write)


def date_time(instant: Instant, zone: str = "UTC", precision: Precision = "second") -> str:
    """`2026-11-20 15:32:10 UTC+1`; by the minute when seconds say nothing."""
    wall = _wall_clock(instant, zone)
    return MISSING if wall is None else f"{wall.date()} {_clock(wall, precision)} {_offset_name(wall)}"


def time(instant: Instant, zone: str = "UTC", precision: Precision = "second") -> str:
    """`15:32:10 UTC+1`."""
    wall = _wall_clock(instant, zone)
    return MISSING if wall is None else f"{_clock(wall, precision)} {_offset_name(wall)}"


def date(instant: Instant, zone: str = "UTC") -> str:
    """`2026-11-20`, the day it is in that zone."""
    wall = _wall_clock(instant, zone)
    return MISSING if wall is None else str(wall.date())


def iso_utc(instant: Instant) -> str:
    """`2026-11-20T14:32:10Z`: what exports carry, milliseconds only where there are some."""
    at = _parse_instant(instant)
    if at is None:
        return MISSING
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds" if at.microsecond // 1000 else "seconds") + "Z"


def relative_time(instant: Instant, now: Instant) -> str:
    """`12 s ago`, `in 5 min`; a date once it is 30 days away."""
    at, since = _parse_instant(instant), _parse_instant(now)
    if at is None or since is None:
        return MISSING
    away = abs(since - at) // timedelta(seconds=1)
    if away < 5:
        return "just now"
    if away >= 30 * 86400:
        return date(at)
    text = _distance(away)
    return f"{text} ago" if at < since else f"in {text}"


def _written(value: Numeric, write: Callable[[_Number], str]) -> str:
    number = _parse(value)
    return MISSING if number is None else write(number)


def _parse(value: Numeric) -> _Number | None:
    if value is None or isinstance(value, bool):
        return None
    match = _DECIMAL.fullmatch(str(value))
    if match is None:
        return None
    sign, whole, fraction, bare_fraction, exponent_text = match.groups(default="")
    exponent = int(exponent_text or "0")
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    decimals = fraction + bare_fraction
    return _shift(_Number(sign == "-", int(whole + decimals), len(decimals)), exponent)


def _shift(number: _Number, places: int) -> _Number:
    scale = number.scale - places
    if scale >= 0:
        return number._replace(scale=scale)
    return number._replace(coefficient=number.coefficient * 10**-scale, scale=0)


def _round(number: _Number, places: int) -> _Number:
    surplus = number.scale - places
    if surplus > 0:
        unit = 10**surplus
        coefficient = (number.coefficient + unit // 2) // unit
    else:
        coefficient = number.coefficient * 10**-surplus
    return _Number(number.negative, coefficient, places)


def _trim(number: _Number, *, least: int = 0) -> _Number:
    negative, coefficient, scale = number
    while scale > least and coefficient % 10 == 0:
        coefficient //= 10
        scale -= 1
    return _Number(negative, coefficient, scale)


def _digits_of(number: _Number) -> str:
    digits = str(number.coefficient).rjust(number.scale + 1, "0")
    cut = len(digits) - number.scale
    whole = f"{int(digits[:cut]):,}"
    return f"{whole}.{digits[cut:]}" if number.scale else whole


def _sign_of(number: _Number, *, signed: bool = False) -> str:
    if number.coefficient == 0:
        return ""
    if number.negative:
        return MINUS
    return "+" if signed else ""


def _at_step(value: Numeric, step: Numeric) -> str:
    def write(number: _Number) -> str:
        grid = _parse(step)
        shown = _trim(number) if grid is None or grid.coefficient == 0 else _round(number, _trim(grid).scale)
        return _sign_of(shown) + _digits_of(shown)

    return _written(value, write)


def _percentage(fraction: Numeric, decimals: int, *, signed: bool) -> str:
    def write(number: _Number) -> str:
        rounded = _round(_shift(number, 2), decimals)
        return f"{_sign_of(rounded, signed=signed)}{_digits_of(rounded)}%"

    return _written(fraction, write)


def _significant(number: _Number, unit: int) -> _Number:
    """The number in thousands of `unit`, rounded to three significant digits."""
    scaled = number._replace(scale=number.scale + 3 * unit)
    for decimals in (2, 1):
        rounded = _round(scaled, decimals)
        if rounded.coefficient < 1000:
            return rounded
    return _round(scaled, 0)


def _reaches_thousand(number: _Number) -> bool:
    thousand: int = 1000 * 10**number.scale
    return number.coefficient >= thousand


def _tenths_of(size: int, unit: int) -> int:
    whole: int = 1024**unit
    return (size * 10 + whole // 2) // whole


def _unsigned_duration(seconds: _Number) -> str:
    if seconds.coefficient == 0:
        return "0 s"
    milliseconds = _round(_shift(seconds, 3), 0).coefficient
    if milliseconds < 1000:
        return f"{milliseconds} ms" if milliseconds else "< 1 ms"
    tenths = _round(seconds, 1)
    if tenths.coefficient < 600:
        return f"{_digits_of(_trim(tenths))} s"
    whole = _round(seconds, 0).coefficient
    if whole < 3600:
        return _two_units(whole // 60, "min", whole % 60, "s")
    if whole < 86400:
        return _two_units(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two_units(whole // 86400, "d", whole % 86400 // 3600, "h")


def _two_units(large: int, large_unit: str, small: int, small_unit: str) -> str:
    head = f"{large:,} {large_unit}"
    return f"{head} {small} {small_unit}" if small else head


def _parse_instant(instant: Instant) -> datetime | None:
    """The instant in UTC, or None for what is none: wrong shape, no offset, a day that does not exist."""
    if isinstance(instant, datetime):
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    if instant is None or _RFC3339.fullmatch(instant) is None:
        return None
    try:
        return datetime.fromisoformat(instant.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _wall_clock(instant: Instant, zone: str) -> datetime | None:
    at = _parse_instant(instant)
    if at is None:
        return None
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return at


def _clock(wall: datetime, precision: Precision) -> str:
    return f"{wall:%H:%M:%S}" if precision == "second" else f"{wall:%H:%M}"


def _offset_name(wall: datetime) -> str:
    """`UTC+5:30`, `UTC+1`, `UTC`."""
    offset = wall.utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    if not hours and not minutes:
        return "UTC"
    sign = MINUS if offset < timedelta() else "+"
    return f"UTC{sign}{hours}" + (f":{minutes:02d}" if minutes else "")


def _distance(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"
