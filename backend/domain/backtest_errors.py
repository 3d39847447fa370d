"""What can be wrong with a backtest before it starts, each with its numbers and the next step."""

from backend.domain.errors import InvalidInput


class BadSignals(InvalidInput):
    """A strategy's signals do not fit its bars."""

    code = "bad_signals"
    title = "The strategy's signals cannot be used"

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)


class CannotReplay(InvalidInput):
    """Bars, signals and rules do not fit together."""

    code = "cannot_replay"
    title = "This backtest cannot be run"

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)


class BarsMissing(InvalidInput):
    """A series of the run is not (wholly) on the disk of this machine."""

    code = "bars_missing"
    title = "Bars of the run are missing"
