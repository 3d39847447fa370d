"""What a run did not do, or had to assume, in sentences with numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from backend.backtesting.result import Note
from backend.domain.config import TradingConfig
from backend.domain.signals import KEEP
from backend.domain.trading import layout
from backend.domain.trading.layout import State
from backend.domain.trading.orders import allowed
from backend.domain.trading.portfolio import sign

if TYPE_CHECKING:
    from backend.backtesting.engine import Feed

_TEXTS: Final = {
    layout.NO_MONEY: ("no_money", "{n} {entries} not made: no money was left."),
    layout.TOO_SMALL: ("too_small", "{n} {entries} not made, being less than one lot."),
    layout.NO_ROOM: ("no_room", "{n} {entries} not made: as many positions as allowed were open."),
    layout.NO_STOP: ("no_stop", "{n} {entries} not made: sizing by risk needs a stop on the losing side."),
    layout.NO_VOLATILITY: ("no_volatility", "{n} {entries} not made: there were too few bars to know volatility."),
    layout.DETAIL_MISSING: (
        "detail_missing",
        "In {n} {bars} something was hit and the shorter bars are missing or incomplete: the {mode} rule decided.",
    ),
    layout.VOLUME_CAPPED: (
        "volume_capped",
        "In {n} {bars} an order was larger than the share of the volume that may be filled.",
    ),
    layout.REST_CANCELLED: ("rest_cancelled", "Of {n} {orders} the rest was cancelled."),
    layout.LIMIT_EXPIRED: ("limit_expired", "{n} limit {orders} not filled in time, and cancelled."),
    layout.LIQUIDATED: (
        "liquidated",
        "The equity was gone: everything was closed, and nothing was entered after that.",
    ),
    layout.AMBIGUOUS: (
        "ambiguous",
        "In {n} {bars} both stop and target were hit and the order is hidden: the {mode} rule decided.",
    ),
}


def notes_of(state: State, feeds: Sequence["Feed"], config: TradingConfig, known: Sequence[bool]) -> tuple[Note, ...]:
    counts = state.account[0]["notes"]
    notes = [
        Note(
            code=code,
            text=text.format(n=f"{counts[what, 0]:,}", mode=config.execution.intrabar.value, **_words(counts[what, 0])),
            count=int(counts[what, 0]),
            first_bar=int(counts[what, 1]),
        )
        for what, (code, text) in _TEXTS.items()
        if counts[what, 0] > 0
    ]
    return (*notes, *_unknown_volumes(feeds, config, known), *_unheard(state, feeds))


def _words(count: int) -> dict[str, str]:
    if count == 1:
        return {"entries": "entry was", "bars": "bar", "orders": "order"}
    return {"entries": "entries were", "bars": "bars", "orders": "orders"}


def _unknown_volumes(feeds: Sequence["Feed"], config: TradingConfig, known: Sequence[bool]) -> list[Note]:
    if config.execution.volume_percent is None and config.costs.impact_bps == 0:
        return []
    without = [feed.symbol for feed, is_known in zip(feeds, known, strict=True) if not is_known]
    if not without:
        return []
    return [
        Note(
            code="volume_unknown",
            text=f"The volume of {', '.join(without)} is zero in every bar, so it is not known:"
            " rules that depend on it were not applied.",
            count=len(without),
        )
    ]


def _unheard(state: State, feeds: Sequence["Feed"]) -> list[Note]:
    """What the last bar says would act at the open of the next, which is not there. To stay as it is needs none."""
    rules = state.account[0]["rules"]
    last = [
        feed.symbol
        for feed, book in zip(feeds, state.books, strict=True)
        if allowed(rules, feed.signals.direction[-1]) not in (KEEP, sign(book["quantity"]))
    ]
    if not last:
        return []
    return [
        Note(code="last_signal", text=f"The signal of the last bar of {', '.join(last)} had no next bar to act in.")
    ]
