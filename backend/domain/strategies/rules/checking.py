"""What every node of a tree of rules is checked for: known names, whole numbers, times, zones, depth and size."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from backend.domain.errors import InputError
from backend.domain.indicators.declared import shown
from backend.domain.market import closest

T = TypeVar("T")

DEEPEST: Final = 12
MOST_NODES: Final = 200
MOST_ERRORS: Final = 50
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Checker:
    """Notes every problem on the way through a document."""

    def __init__(self) -> None:
        self.problems: list[InputError] = []
        self._nodes = 0

    def mapping(
        self, data: object, at: str, known: Sequence[str], *, needed: Sequence[str] = ()
    ) -> Mapping[str, Any] | None:
        """With known names only, and all that are needed."""
        if not isinstance(data, Mapping):
            return self.bad(at, f"This is {shown(data)}; an object is needed.")
        before = len(self.problems)
        for name in list(data)[:MOST_NODES]:
            if name not in known:
                self.bad(f"{at}/{_escaped(name)}", f"Nothing here is called {shown(name)}.{meant_by(name, known)}")
        for name in needed:
            if name not in data:
                self.bad(at, f"'{name}' is missing.")
        return data if len(self.problems) == before else None

    def whole(self, value: object, at: str, least: int, most: int) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            return self.bad(at, f"This is {shown(value)}; a whole number from {least:,} to {most:,} is needed.")
        return value

    def number(self, value: object, at: str, least: float, most: float) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            return self.bad(at, f"This is {shown(value)}; a number from {least:g} to {most:g} is needed.")
        return float(value)

    def clock(self, value: object, at: str) -> int | None:
        match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return self.bad(at, f"This is {shown(value)}; a time such as 09:30 is needed.")
        return int(match[1]) * 60 + int(match[2])

    def zone(self, value: object, at: str) -> str | None:
        try:
            return ZoneInfo(value if isinstance(value, str) and len(value) <= 64 else "").key
        except (ValueError, OSError, KeyError):
            return self.bad(at, f"{shown(value)} is no time zone; write it as UTC or America/New_York.")

    def fits(self, at: str, depth: int) -> bool:
        """Whether one more node at this depth is allowed."""
        self._nodes += 1
        if depth > DEEPEST:
            self.bad(at, f"The rules are more than {DEEPEST} levels deep here. Join conditions on fewer levels.")
        elif self._nodes == MOST_NODES + 1:
            self.bad(at, f"The rules have more than {MOST_NODES} nodes. Use fewer conditions.")
        return depth <= DEEPEST and self._nodes <= MOST_NODES

    def bad(self, at: str, detail: str) -> T | None:
        """Note what is wrong at a node; the node is none then."""
        if len(self.problems) < MOST_ERRORS:
            self.problems.append(InputError(pointer=at, detail=detail))
        return None


def _escaped(name: object) -> str:
    return str(name)[:60].replace("~", "~0").replace("/", "~1")


def meant_by(name: object, known: Sequence[str]) -> str:
    meant = closest(str(name)[:60], known, most=1)
    return f" Did you mean '{meant[0]}'?" if meant else f" There are: {', '.join(known)}."
