"""How the state of a run lies in memory: flat records, so that compiled code and a file can both hold it.

Shares are fractions here (0.001 is 10 bps). NaN in a price means that there is none.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]
Record = Any  # one of them; compiled code knows its fields

# Why there was a fill. What a trade ended with is one of them too.
ENTRY_MARKET: Final = 0
ENTRY_LIMIT: Final = 1
EXIT_SIGNAL: Final = 2
EXIT_STOP: Final = 3
EXIT_TARGET: Final = 4
EXIT_TRAIL: Final = 5
LIQUIDATION: Final = 6
STILL_OPEN: Final = 7

PESSIMISTIC: Final = 0
NEUTRAL: Final = 1
OPTIMISTIC: Final = 2

ALL_IN: Final = 0
FRACTION: Final = 1
NOTIONAL: Final = 2
QUANTITY: Final = 3
VOLATILITY: Final = 4
RISK: Final = 5

# What is reported: rows of the notes, each how often and at which bar first.
NO_MONEY: Final = 0
TOO_SMALL: Final = 1
NO_ROOM: Final = 2
NO_STOP: Final = 3
NO_VOLATILITY: Final = 4
DETAIL_MISSING: Final = 5
VOLUME_CAPPED: Final = 6
REST_CANCELLED: Final = 7
LIMIT_EXPIRED: Final = 8
LIQUIDATED: Final = 9
AMBIGUOUS: Final = 10
NOTES: Final = 11

RULES: Final = np.dtype(
    [
        ("maker", "f8"),
        ("taker", "f8"),
        ("minimum_fee", "f8"),
        ("slippage", "f8"),  # half the spread is in it
        ("impact", "f8"),
        ("borrow", "f8"),  # a year
        ("sizing", "i8"),
        ("sizing_share", "f8"),
        ("sizing_amount", "f8"),
        ("mode", "i8"),
        ("long", "i8"),
        ("short", "i8"),
        ("limit_life", "i8"),  # in bars, 0 = for ever
        ("stop_share", "f8"),
        ("target_share", "f8"),
        ("trail_share", "f8"),
        ("volume_share", "f8"),  # of a bar's volume, 0 = no limit
        ("carry", "i8"),
        ("leverage", "f8"),
        ("most_positions", "i8"),
        ("detailed", "i8"),  # shorter bars are there to decide
    ]
)

ACCOUNT: Final = np.dtype(
    [
        ("cash", "f8"),
        ("start_cash", "f8"),
        ("equity", "f8"),  # at the last close
        ("financing", "f8"),  # interest paid so far
        ("fills", "i8"),  # how many are on the tape
        ("halted", "i8"),  # equity is gone: nothing is entered any more
        ("rules", RULES),
        ("notes", "i8", (NOTES, 2)),
    ]
)

# One a symbol: its position, what protects it, and the order that waits.
BOOK: Final = np.dtype(
    [
        ("tick", "f8"),  # 0 = any price
        ("lot", "f8"),
        ("volume_known", "i8"),
        ("quantity", "f8"),  # below 0 when short
        ("mark", "f8"),  # the last known price
        ("stop", "f8"),
        ("target", "f8"),
        ("trail_share", "f8"),
        ("best", "f8"),  # the best price since the entry, of completed bars
        # The step is needed only when a bar reaches one of these, or a signal asks for something.
        ("wake_below", "f8"),
        ("wake_above", "f8"),
        ("volume_used", "f8"),  # of this bar
        ("entered_row", "i8"),  # the row of this bar inside which a limit entered, -1 = none
        ("entered_price", "f8"),
        # The exit that is due at the next open.
        ("exit_due", "i8"),
        ("exit_why", "i8"),
        ("exit_reason", "i8"),
        # The entry that waits.
        ("order_side", "i8"),
        ("order_left", "f8"),  # NaN = not sized yet
        ("order_limit", "f8"),
        ("order_age", "i8"),
        ("order_size", "f8"),
        ("order_stop", "f8"),
        ("order_target", "f8"),
        ("order_stop_share", "f8"),
        ("order_target_share", "f8"),
        ("order_trail_share", "f8"),
        ("order_volatility", "f8"),
        ("order_rank", "f8"),
        ("order_reason", "i8"),
        # What the order under way has cost, for the minimum fee.
        ("entry_value", "f8"),
        ("entry_fee", "f8"),
        ("exit_value", "f8"),
        ("exit_fee", "f8"),
        # The trade under way.
        ("entry_quantity", "f8"),
        ("entry_price", "f8"),  # the average
        ("financing", "f8"),  # since the last fill
        ("percent_stop", "f8"),  # shares that are measured anew from the average price at each fill of the entry
        ("percent_target", "f8"),
    ]
)

BAR: Final = np.dtype(
    [("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8"), ("volume", "f8"), ("present", "i8")]
)

SIGNAL: Final = np.dtype(
    [
        ("direction", "i8"),
        ("size", "f8"),
        ("limit", "f8"),
        ("stop", "f8"),
        ("target", "f8"),
        ("stop_share", "f8"),
        ("target_share", "f8"),
        ("trail_share", "f8"),
        ("volatility", "f8"),  # a year, for sizing by it
        ("rank", "f8"),
        ("reason", "i8"),
    ]
)

FILL: Final = np.dtype(
    [
        ("bar", "i4"),
        ("symbol", "i2"),
        ("why", "i1"),
        ("closes", "i1"),  # nothing is left of the position
        ("reason", "i2"),  # the strategy's, NO_REASON = none
        ("quantity", "f8"),  # below 0 when sold
        ("price", "f8"),
        ("fee", "f8"),
        ("slippage", "f8"),  # in money
        ("financing", "f8"),  # interest of the position since the fill before
    ]
)

TRADE: Final = np.dtype(
    [
        ("entry_bar", "i4"),
        ("exit_bar", "i4"),  # of one that is still open: the last bar
        ("symbol", "i2"),
        ("entry_reason", "i2"),  # the strategy's, NO_REASON = none
        ("exit_reason", "i2"),
        ("entry_why", "i1"),
        ("exit_why", "i1"),  # STILL_OPEN: marked at the last close
        ("quantity", "f8"),  # below 0 when short
        ("entry_price", "f8"),  # averages
        ("exit_price", "f8"),
        ("fees", "f8"),
        ("slippage", "f8"),
        ("financing", "f8"),
        ("pnl", "f8"),  # after fees and financing
        ("mae", "f4"),  # the worst and the best price against the entry, as shares of it: <= 0 and >= 0
        ("mfe", "f4"),
    ]
)

# One bar of one symbol writes at most so many fills: an exit at the open, an entry, an exit inside, a liquidation.
MOST_FILLS = 4


class State(NamedTuple):
    """All of a run that changes, and the rules beside it. `step` works on it in place.

    What is passed on in compiled code are its records: an array costs seven words a call, a record one.
    """

    account: Records  # one
    books: Records  # one a symbol
    fills: Records  # room for them; account.fills says how many there are
