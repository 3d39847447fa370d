"""Durations as Go spells them: `24h`, `1h30m`, `1.5h`."""

import re
from datetime import timedelta
from decimal import Decimal

from backend.infrastructure.supabase.auth_server import errors

SECONDS = {
    "ns": Decimal("0.000000001"),
    "us": Decimal("0.000001"),
    "µs": Decimal("0.000001"),
    "μs": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
PART = re.compile(r"([0-9]{0,20}(?:\.[0-9]{0,20})?)(ns|us|µs|μs|ms|s|m|h)")
LONGEST_SECONDS = Decimal(2**63) / 10**9  # what Go can hold, about 292 years


def parse_duration(text: str) -> timedelta:
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return timedelta(0)
    seconds, position = Decimal(0), 0
    while position < len(rest):
        match = PART.match(rest, position)
        if match is None or match[1] in ("", "."):
            raise _invalid(text)
        seconds += Decimal(match[1]) * SECONDS[match[2]]
        position = match.end()
    if not rest or seconds >= LONGEST_SECONDS:
        raise _invalid(text)
    return timedelta(seconds=sign * float(seconds))


def _invalid(text: str) -> errors.AuthError:
    return errors.invalid(f'invalid format for ban duration: time: invalid duration "{text[:40]}"')
