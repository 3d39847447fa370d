"""What can go wrong with strategies, indicators and rules, each with its numbers and the next step.

UnknownStrategy, UnknownStrategyVersion, UnknownIndicator, UnknownPattern   are NotFound
StrategyNameTaken                      is a Conflict
InvalidParameters                      is InvalidInput, its pointers name each parameter
├── InvalidRules                       a tree of rules; its pointers name each node
└── NotEnoughHistory
StrategyError                          the strategy itself, not who asks for it, is to blame
├── MissingValues
├── NoSuchMarket
├── StrategyBroken
├── StrategyFailed
├── NeverTrades
└── PreviewFailed
"""

from collections.abc import Iterable, Sequence

from backend.domain.errors import Conflict, InputError, InvalidInput, NotFound, TidemarkError


class UnknownStrategy(NotFound):
    """No strategy has this name."""

    code = "unknown_strategy"
    title = "There is no such strategy"

    def __init__(self, name: str, meant: Sequence[str] = (), known: Sequence[str] = ()) -> None:
        self.name, self.meant = name, tuple(meant)
        super().__init__(f"There is no strategy '{name}'.{_hint(meant, known)}")


class UnknownStrategyVersion(NotFound):
    """A saved strategy has no version of this number."""

    code = "unknown_strategy_version"
    title = "There is no such version"

    def __init__(self, number: int, newest: int) -> None:
        super().__init__(f"There is no version {number:,}; the newest is {newest:,}.")


class StrategyNameTaken(Conflict):
    """Another strategy is called that already."""

    code = "strategy_name_taken"
    title = "The name is taken"

    def __init__(self, name: str, whose: str = "another strategy of yours") -> None:
        super().__init__(f"'{name}' is the name of {whose}. Choose another one.")


class UnknownIndicator(NotFound):
    """No indicator has this name."""

    code = "unknown_indicator"
    title = "There is no such indicator"

    def __init__(self, name: str, meant: Sequence[str] = ()) -> None:
        self.name, self.meant = name, tuple(meant)
        super().__init__(f"There is no indicator '{name}'.{_hint(meant)}")


class UnknownPattern(NotFound):
    """No pattern has this name."""

    code = "unknown_pattern"
    title = "There is no such pattern"

    def __init__(self, name: str, meant: Sequence[str] = ()) -> None:
        self.name, self.meant = name, tuple(meant)
        super().__init__(f"There is no pattern '{name}'.{_hint(meant)}")


class InvalidParameters(InvalidInput):
    """Parameters that do not exist, lie out of bounds, or do not fit each other."""

    code = "invalid_parameters"
    title = "The parameters are not valid"

    def __init__(self, of: str, errors: Iterable[InputError]) -> None:
        found = tuple(errors)
        first = " ".join(each.detail for each in found[:3])
        more = f" And {len(found) - 3:,} more." if len(found) > 3 else ""
        super().__init__(found, f"{of}: {first}{more}")


class InvalidRules(InvalidInput):
    """A tree of rules that cannot be used; the pointers name each bad node."""

    code = "invalid_rules"
    title = "The rules are not valid"

    def __init__(self, errors: Iterable[InputError]) -> None:
        found = tuple(errors)
        first = "; ".join(f"{each.pointer or '/'}: {each.detail}" for each in found[:3])
        more = f" And {len(found) - 3:,} more." if len(found) > 3 else ""
        super().__init__(found, f"{first}{more}")


class NotEnoughHistory(InvalidInput):
    """The strategy needs more bars than there are."""

    code = "not_enough_history"
    title = "There is too little history"

    def __init__(self, strategy: str, *, needed: int, held: int) -> None:
        self.needed, self.held = needed, held
        super().__init__(
            detail=f"{strategy} needs {needed:,} bars before it can say anything; there are {held:,}."
            f" Begin {needed - held:,} bars earlier, or choose shorter periods."
        )


class StrategyError(TidemarkError):
    """A strategy cannot do its work."""

    code = "strategy_error"
    title = "The strategy cannot be used"


class MissingValues(StrategyError):
    """Numbers with a hole, where a hole would spoil all that follows."""

    code = "missing_values"
    title = "Values are missing"

    def __init__(self, what: str, *, count: int, of: int, first: int) -> None:
        self.count, self.first = count, first
        super().__init__(
            f"{what} has {count:,} of {of:,} values that are missing or not finite, the first at row {first:,}."
            " Repair or leave out these rows; nothing is filled in silently."
        )


class NoSuchMarket(StrategyError):
    """The strategy looks at a market whose bars nobody brought."""

    code = "no_such_market"
    title = "The strategy needs other bars"

    def __init__(self, symbol: str, timeframe: str, held: Sequence[str]) -> None:
        there = f"There are: {', '.join(held)}." if held else "There are none but its own."
        super().__init__(f"The strategy looks at {symbol} {timeframe}, which is not here. {there} Add it to the run.")


class NoPredictions(StrategyError):
    """The strategy asks models, and nobody brought any."""

    code = "no_predictions"
    title = "The strategy needs predictions"

    def __init__(self, strategy: str) -> None:
        super().__init__(
            f"{strategy} trades what models say, and this market was opened without them."
            " Give Market.of or run the predictions of backend.bootstrap_market.open_predictions()."
        )


class StrategyBroken(StrategyError):
    """A plugin that could not be loaded."""

    code = "strategy_broken"
    title = "The strategy could not be loaded"

    def __init__(self, name: str, origin: str, reason: str) -> None:
        self.name, self.origin, self.reason = name, origin, reason
        super().__init__(f"'{name}' from {origin} could not be loaded: {reason}. Repair it, then start again.")


class StrategyFailed(StrategyError):
    """The strategy raised an error while it looked at the bars."""

    code = "strategy_failed"
    title = "The strategy failed"

    def __init__(self, strategy: str, reason: str, *, where: str = "", bars: int = 0) -> None:
        self.reason, self.where = reason, where
        place = f" ({where})" if where else ""
        super().__init__(
            f"{strategy} failed on {bars:,} bars: {reason}{place}."
            " Correct the strategy, or tell who wrote it; other strategies are not affected."
        )


class NeverTrades(StrategyError):
    """On these bars the strategy never wants a position."""

    code = "never_trades"
    title = "The strategy never trades"

    def __init__(self, strategy: str, *, bars: int, warmup: int) -> None:
        super().__init__(
            f"{strategy} gave no entry on {bars:,} bars, of which the first {warmup:,} are its warm-up."
            " Loosen its parameters, or give it a longer or livelier range."
        )


class PreviewFailed(StrategyError):
    """A preview took too much time or memory, or its process died."""

    code = "preview_failed"
    title = "The preview could not be made"


def _hint(meant: Sequence[str], known: Sequence[str] = ()) -> str:
    if meant:
        return f" Did you mean {' or '.join(repr(one) for one in meant)}?"
    return f" There are: {', '.join(known)}." if known else ""
