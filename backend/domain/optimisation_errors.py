"""What can be wrong with a sweep, a search or a walk forward before it starts, with numbers and the next step."""

from collections.abc import Iterable, Sequence

from backend.domain.errors import InputError, InvalidInput


class InvalidSpace(InvalidInput):
    """A space of parameters that cannot be searched; the pointers name each range."""

    code = "invalid_space"
    title = "The ranges of the parameters are not valid"

    def __init__(self, of: str, errors: Iterable[InputError]) -> None:
        found = tuple(errors)
        first = " ".join(each.detail for each in found[:3])
        more = f" And {len(found) - 3:,} more." if len(found) > 3 else ""
        super().__init__(found, f"{of}: {first}{more}")


class NothingToTry(InvalidInput):
    """No combination of these ranges is one that the strategy takes."""

    code = "nothing_to_try"
    title = "There is nothing to try"

    def __init__(self, of: str, *, skipped: int, why: str) -> None:
        self.skipped = skipped
        super().__init__(
            detail=f"{of} takes none of the {skipped:,} combinations of these ranges. Of the first it says: {why}"
        )


class TooManyTrials(InvalidInput):
    """More combinations than one sweep keeps."""

    code = "too_many_trials"
    title = "There are too many combinations"

    def __init__(self, *, combinations: int, most: int) -> None:
        super().__init__(
            detail=f"These ranges have {combinations:,} combinations; at most {most:,} are tried in one sweep."
            " Use larger steps, or draw some of them by lot."
        )


class UnknownObjective(InvalidInput):
    """No metric of this name can be an objective."""

    code = "unknown_objective"
    title = "There is no such objective"

    def __init__(self, name: str, meant: Sequence[str], known: Sequence[str]) -> None:
        self.name, self.meant = name, tuple(meant)
        hint = (
            f"Did you mean {' or '.join(repr(one) for one in meant)}?" if meant else f"There are: {', '.join(known)}."
        )
        super().__init__(detail=f"There is no objective '{name}'. {hint}")


class CannotWalkForward(InvalidInput):
    """The bars do not hold the windows that were asked for."""

    code = "cannot_walk_forward"
    title = "These windows do not fit"

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)


class LedgerDamaged(InvalidInput):
    """A line in the middle of a ledger that is no trial."""

    code = "ledger_damaged"
    title = "The ledger of trials cannot be read"

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)
