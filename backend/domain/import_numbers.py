"""The numbers of other people's files: '$1,234.50', '1.234,50', '12.5K'. What is no number becomes missing."""

from typing import Final

import numpy as np
import pandas as pd

_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NOT_PLAIN: Final = r"[^0-9.eE+-]"
_DECORATION: Final = "[$€£¥\\s\u00a0\u2009\u202f'\u2019\"]"
# 1,234,567.5 and, as in India, 12,34,567.5; and what a suffix became.
_WITH_COMMAS: Final = r"[+-]?[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]*)?(?:e[0-9]+)?"
_WITH_POINTS: Final = r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]*)?(?:e[0-9]+)?"
_THREES: Final = r"\D*[1-9][0-9]{0,2}(?:,[0-9]{3})+\D*"
_SUFFIXES: Final = {"[kK]": "3", "[mM]": "6", "[bB]": "9", "[tT]": "12"}
_ZERO: Final = r"[+-]?0*(?:[.,]0*)?"
_NONE: Final = ("", "-", "--", "n/a", "na", "nan", "null", "none")


def decimal_of(prices: "list[str]", delimiter: str) -> tuple[str, str | None]:
    """The decimal mark of prices, and in words what could not be seen.

    A comma is it when it stands last, and not before groups of three alone.
    """
    with_comma = [text for text in prices if "," in text]
    if not with_comma or any("." in text[text.rfind(",") :] for text in with_comma):
        return ".", None
    groups = pd.Series(with_comma).str.fullmatch(_THREES)
    if not groups.all() or any(text.count(",") > 1 for text in with_comma):
        return ("," if not groups.all() else "."), None
    if len(with_comma) < len(prices):
        return ".", None
    unseen = "Whether a comma in a price means thousands or decimals cannot be seen"
    if delimiter in (",", ""):
        return ".", f"{unseen}; thousands are taken, since commas separate the columns too."
    return ",", f"{unseen}; decimals are taken, since something else separates the columns."


def numbers_of(texts: "pd.Series[str]", decimal: str) -> "pd.Series[float]":
    """The double nearest to each of them."""
    if pd.api.types.is_bool_dtype(texts.dtype):
        return pd.Series(np.nan, index=texts.index)
    if pd.api.types.is_numeric_dtype(texts.dtype):
        return texts.astype("float64")
    texts = texts.astype(str).fillna("")
    if decimal == "." and not texts.str.contains(_NOT_PLAIN).any():
        return _floats(texts)
    cleaned = texts.str.replace(_DECORATION, "", regex=True)
    for suffix, exponent in _SUFFIXES.items():
        cleaned = cleaned.str.replace(rf"^([^eE]*[0-9]){suffix}$", rf"\1e{exponent}", regex=True)
    if decimal == ".":
        is_grouped = cleaned.str.fullmatch(_WITH_COMMAS)
        return _floats(cleaned.mask(is_grouped, cleaned.str.replace(",", "", regex=False)))
    is_grouped = cleaned.str.fullmatch(_WITH_POINTS)
    whole = cleaned.mask(is_grouped, cleaned.str.replace(".", "", regex=False))
    # A point elsewhere is no mark of thousands, and there is no second mark of decimals.
    return _floats(whole.mask(whole.str.contains(".", regex=False), "").str.replace(",", ".", regex=False))


def says_nothing(texts: "pd.Series[str]") -> bool:
    """Whether a column was left empty from top to bottom, as a market without volume has it."""
    if pd.api.types.is_numeric_dtype(texts.dtype):
        return len(texts) > 0 and bool(texts.isna().all())
    return len(texts) > 0 and bool(texts.astype(str).fillna("").str.strip(' "').str.lower().isin(_NONE).all())


def is_zero_throughout(texts: "pd.Series[str]") -> bool:
    """Whether a column counts nothing, as that of real volume does where a broker only counts ticks."""
    if pd.api.types.is_numeric_dtype(texts.dtype):
        return len(texts) > 0 and bool((texts.fillna(0) == 0).all())
    return len(texts) > 0 and bool(texts.astype(str).fillna("").str.strip(' "').str.fullmatch(_ZERO).all())


def _floats(texts: "pd.Series[str]") -> "pd.Series[float]":
    """As Python reads it; pandas' own reader may miss it by a bit."""
    numbers = np.full(len(texts), np.nan)
    good = texts.str.fullmatch(_NUMBER).to_numpy(dtype=np.bool_, na_value=False)
    # One by one: an array of texts takes for each of them the room of the longest.
    numbers[good] = texts[good].to_numpy(dtype=np.object_).astype(np.float64)
    return pd.Series(numbers, index=texts.index)
