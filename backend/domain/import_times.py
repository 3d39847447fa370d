"""The times of other people's files: how they are written, and which moment each of them means.

Each text is brought into one form, and what does not fit it is no time. Nothing is left to a parser that guesses.
"""

import re
from datetime import timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from backend.domain.bars import TS_DTYPE

Texts: TypeAlias = "pd.Series[str]"
Times: TypeAlias = "pd.Series[pd.Timestamp]"


class TimeStyle(StrEnum):
    """How a file writes the time."""

    ISO = "iso"  # 2026-01-05, 2026-01-05 14:30, 2026-01-05T14:30:00Z, 2026.01.05 14:30, 20260105 143000, 5-Jan-2026
    DAY_FIRST = "day_first"  # 05.01.2026, 05/01/2026 14:30
    MONTH_FIRST = "month_first"  # 01/05/2026
    EPOCH_S = "epoch_s"
    EPOCH_MS = "epoch_ms"
    EPOCH_US = "epoch_us"
    EPOCH_NS = "epoch_ns"


_EPOCHS: Final = (
    (TimeStyle.EPOCH_S, 1_000_000),
    (TimeStyle.EPOCH_MS, 1_000),
    (TimeStyle.EPOCH_US, 1),
)
_FAR_PAST: Final = 1_000_000 * 86_400 * 365 * 10  # in microseconds: 1980
_FAR_FUTURE: Final = 1_000_000 * 86_400 * 365 * 130  # about 2100
_COMPACT: Final = r"(?:19|20)\d{6}(?:\d{4}(?:\d{2})?)?"
_NUMERIC_DATE: Final = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?:\D.*)?$"
_STAMP: Final = r"^(\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?)"
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s?([+-])(\d{1,2})(?::?(\d{2}))?")
_HALF_DAYS: Final = r"(?i)\d\s*-?\s*[ap]\.?m\.?"
_HALF_DAY: Final = re.compile(r"(?i)(\d{1,2})((?::\d{2}){0,2}(?:\.\d+)?)\s*-?\s*([ap])\.?m\.?")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_WEEKDAY: Final = r"^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_DAY_NAMED: Final = re.compile(rf"(?i){_WEEKDAY}(\d{{1,2}})[\s./-]*{_MONTH}[\s,./-]*(\d{{4}}|\d{{2}})(?!\d)")
_MONTH_NAMED: Final = re.compile(rf"(?i){_WEEKDAY}{_MONTH}[\s./-]*(\d{{1,2}})[\s,./-]+(\d{{4}}|\d{{2}})(?!\d)")
# Those alone that mean one thing the world over; of CST there are three.
_ABBREVIATED: Final = {"Z": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "PST": -8, "PDT": -7, "CET": 1, "CEST": 2}
_FARTHEST_HOURS: Final = 14
# No time is longer. A longer text would keep some of the patterns busy for the square of its length.
_LONGEST_TIME: Final = 100


def style_of(times: Texts) -> tuple[TimeStyle, str | None]:
    """How these are written, and in words what could not be seen."""
    texts = stripped(times).dropna()
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.notna().mean() > 0.5 and not texts.str.fullmatch(_COMPACT).all():
        size = float(numbers.abs().median())
        for style, factor in _EPOCHS:
            if _FAR_PAST <= size * factor <= _FAR_FUTURE:
                return style, None
        return TimeStyle.EPOCH_NS, None
    return _order_of_days(texts)


def moments(times: Texts, hours: "Texts | None", style: TimeStyle, zone: str, *, are_days: bool = False) -> Times:
    """When each row begins, in UTC. What is no time, or an hour that the clocks skip or repeat, is missing.

    A day, or a week, is a date wherever it begins: `are_days` keeps the date of what begins at its own midnight.
    """
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        return _of_moments(times, zone, are_days=are_days)
    texts = stripped(times)
    if style.startswith("epoch"):
        return _from_epoch(texts, style)
    walls, zones = _parts(texts, hours, style)
    moments = pd.Series(pd.NaT, index=texts.index, dtype=TS_DTYPE)
    # By place, not by name: a place has as many names as a file likes to give it.
    named = zones[walls.notna()]
    known = {name: _zone(name or zone) for name in named.unique()}
    numbers, places = pd.factorize(named.map(known))
    for number, place in enumerate(places):
        rows = named.index[numbers == number]
        moments[rows] = _in_utc(walls[rows], place)
    return _dates(walls, moments) if are_days else moments


def walls_of(times: Texts, hours: "Texts | None", style: TimeStyle) -> Times:
    """What the clocks on the wall say, without regard to the zone; missing where nothing can be read."""
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        return times.dt.tz_localize(None)
    texts = stripped(times)
    if style.startswith("epoch"):
        return _from_epoch(texts, style).dt.tz_localize(None)
    return _parts(texts, hours, style)[0]


def name_no_zone(times: Texts, hours: "Texts | None", style: TimeStyle) -> bool:
    """Whether some of these times can be read, and say nothing of where they are from."""
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        return times.dt.tz is None
    if style.startswith("epoch"):
        return False
    walls, zones = _parts(stripped(times), hours, style)
    return bool((zones[walls.notna()] == "").any())


def stripped(texts: Texts) -> Texts:
    """Without what stands around them; empty where a text is longer than any time."""
    bare = texts.astype(str).str.strip().str.strip('"').str.strip()
    return bare.mask(bare.str.len() > _LONGEST_TIME, "")


def hours_like(texts: Texts) -> bool:
    """Whether these are hours of a day: 14:30, 143000."""
    found = stripped(texts).dropna()
    return len(found) > 0 and bool(found.str.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?(\.\d+)?|\d{3,6}").all())


def dates_like(texts: Texts) -> bool:
    """Whether these are dates without an hour."""
    found = stripped(texts).dropna()
    pattern = r"(?:19|20)\d{6}|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})"
    return len(found) > 0 and bool(found.str.fullmatch(pattern).all())


def _order_of_days(texts: Texts) -> tuple[TimeStyle, str | None]:
    parts = texts.str.extract(_NUMERIC_DATE).dropna().astype(int)
    if parts.empty:
        return TimeStyle.ISO, None
    if (parts[0] > 12).any():
        return TimeStyle.DAY_FIRST, None
    if (parts[1] > 12).any():
        return TimeStyle.MONTH_FIRST, None
    spans = {
        style: walls.max() - walls.min()
        for style in (TimeStyle.DAY_FIRST, TimeStyle.MONTH_FIRST)
        if not (walls := _parts(texts, None, style)[0].dropna()).empty
    }
    unseen = "Whether day or month comes first cannot be seen"
    if len(set(spans.values())) > 1:
        nearest = min(spans, key=lambda style: spans[style])
        first = "day" if nearest is TimeStyle.DAY_FIRST else "month"
        return nearest, f"{unseen}; the {first} is taken, since the rows are nearer to each other then."
    if texts.str.contains(".", regex=False).any():
        return TimeStyle.DAY_FIRST, f"{unseen}; with points the day is taken."
    return TimeStyle.MONTH_FIRST, f"{unseen}; the month is taken."


def _of_moments(times: Times, zone: str, *, are_days: bool) -> Times:
    moments = _in_utc(times, ZoneInfo(zone))
    return _dates(times.dt.tz_localize(None), moments) if are_days else moments


def _dates(walls: Times, moments: Times) -> Times:
    is_midnight = walls == walls.dt.normalize()
    return moments.mask(is_midnight, walls.dt.tz_localize("UTC").astype(TS_DTYPE))


def _in_utc(times: Times, zone: tzinfo) -> Times:
    """An hour that the clocks skip or repeat is no moment: such rows become bad ones."""
    if times.dt.tz is None:
        times = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    return times.dt.tz_convert("UTC").astype(TS_DTYPE)


def _from_epoch(texts: Texts, style: TimeStyle) -> Times:
    numbers = pd.to_numeric(texts, errors="coerce")
    unit = style.removeprefix("epoch_")
    micro = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[unit]
    scaled = (numbers * micro).where(numbers.abs() * micro < _FAR_FUTURE)
    return pd.to_datetime(scaled.round().astype("Int64"), unit="us", utc=True, errors="coerce")


def _parts(texts: Texts, hours: "Texts | None", style: TimeStyle) -> tuple[Times, Texts]:
    """What the clock on the wall says, and the zone that the text names."""
    if hours is not None:
        texts = texts + " " + _hour(stripped(hours))
    texts = _in_one_form(texts, style).fillna("")
    is_stamp = texts.str.fullmatch(_STAMP + ".*")
    stamps = texts.str.replace(_STAMP + ".*$", r"\1", regex=True).where(is_stamp)
    zones = texts.str.replace(_STAMP, "", regex=True).str.strip()
    return pd.to_datetime(stamps, format="ISO8601", errors="coerce"), zones


def _in_one_form(texts: Texts, style: TimeStyle) -> Texts:
    """2026-01-05 14:30:00, and a zone behind it where there is one."""
    if texts.str.contains("[A-Za-z]{3}").any():
        texts = texts.map(_with_month_as_number, na_action="ignore")
    for pattern, form in _date_forms(style):
        texts = texts.str.replace(pattern, form, regex=True)
    for pattern, form in (
        (r"^(\d{4})-(\d)-", r"\1-0\2-"),
        (r"^(\d{4}-\d{2})-(\d)(\D.*)?$", r"\1-0\2\3"),
        (r"^(\d{4}-\d{2}-\d{2})[Tt,;_ ]\s*(\d.*)$", r"\1 \2"),
        (r"^(\d{4}-\d{2}-\d{2}) (\d{2})(\d{2})(\d{2})([^\d:].*)?$", r"\1 \2:\3:\4\5"),
        (r"^(\d{4}-\d{2}-\d{2}) (\d{2})(\d{2})$", r"\1 \2:\3"),
        (r"^(\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}),(\d+)", r"\1.\2"),
        (r"^(\d{4}-\d{2}-\d{2}) (\d):", r"\1 0\2:"),
    ):
        texts = texts.str.replace(pattern, form, regex=True)
    if texts.str.contains(_HALF_DAYS).any():
        texts = texts.map(_with_whole_day, na_action="ignore")
    return texts


def _date_forms(style: TimeStyle) -> list[tuple[str, str]]:
    if style is TimeStyle.ISO:
        return [
            (r"^(\d{4})[./-](\d{1,2})[./-](\d{1,2})", r"\1-\2-\3"),
            (r"^((?:19|20)\d{2})(\d{2})(\d{2})(\D.*)?$", r"\1-\2-\3\4"),
            (r"^((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", r"\1-\2-\3 \4:\5"),
            (r"^((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", r"\1-\2-\3 \4:\5:\6"),
        ]
    day, month = (1, 2) if style is TimeStyle.DAY_FIRST else (2, 1)
    date = r"^(\d{1,2})[./-](\d{1,2})[./-]"
    return [
        (date + r"(\d{4})", rf"\3-\{month}-\{day}"),
        (date + r"([7-9]\d)(\D.*)?$", rf"19\3-\{month}-\{day}\4"),
        (date + r"([0-6]\d)(\D.*)?$", rf"20\3-\{month}-\{day}\4"),
    ]


def _with_month_as_number(text: str) -> str:
    if found := _DAY_NAMED.match(text):
        day, month, year = found.groups()
    elif found := _MONTH_NAMED.match(text):
        month, day, year = found.groups()
    else:
        return text
    century = "" if len(year) == 4 else "19" if year >= "70" else "20"
    return f"{century}{year}-{_MONTHS.index(month.lower()) + 1:02d}-{int(day):02d}{text[found.end() :]}"


def _with_whole_day(text: str) -> str:
    """2:30 PM as 14:30."""
    found = _HALF_DAY.search(text)
    if found is None or not 1 <= int(found[1]) <= 12:
        return text
    hour = int(found[1]) % 12 + (12 if found[3].lower() == "p" else 0)
    return f"{text[: found.start()]}{hour:02d}{found[2] or ':00'}{text[found.end() :]}"


def _hour(texts: Texts) -> Texts:
    """153000 and 1530 as 15:30."""
    bare = texts.where(
        ~texts.str.fullmatch(r"\d{1,6}").astype(np.bool_),
        texts.str.zfill(6).where(texts.str.len() > 4, texts.str.zfill(4) + "00"),
    )
    return bare.str.replace(r"^(\d{2})(\d{2})(\d{2})$", r"\1:\2:\3", regex=True)


def _zone(name: str) -> tzinfo | None:
    """Of +01:00, GMT-0500, EST, Europe/Berlin or +01:00[Europe/Berlin]; None for what nobody can place."""
    offset, _, place = name.rstrip("]").partition("[")
    name = offset.strip() or place
    if name.upper() in _ABBREVIATED:
        return timezone(timedelta(hours=_ABBREVIATED[name.upper()]))
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found[1], int(found[2]), int(found[3] or 0)
        if hours > _FARTHEST_HOURS or minutes > 59:
            return None
        away = timedelta(hours=hours, minutes=minutes)
        return timezone(-away if sign == "-" else away)
    try:
        return ZoneInfo(name) if "/" in name else None
    except (KeyError, ValueError, OSError):
        return None
