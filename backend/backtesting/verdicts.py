"""What the trust panel came to: verdicts with their sentences and numbers, and the document that keeps them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Fact = float | int | str


class Verdict(StrEnum):
    """What a check came to."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"  # the sentence says why


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question and its answer."""

    code: str
    title: str
    verdict: Verdict
    sentence: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Band:
    """What is left of the return with other assumptions about fills and costs."""

    mode: str
    cost_times: float
    total_return: float


@dataclass(frozen=True, kw_only=True)
class Trust:
    """All checks of one result."""

    checks: tuple[Check, ...]
    band: tuple[Band, ...]
    thorough: bool = False  # a strategy was asked hundreds of times, not sampled

    def __getitem__(self, code: str) -> Check:
        for check in self.checks:
            if check.code == code:
                return check
        raise KeyError(f"There is no check '{code}'. There are: {', '.join(check.code for check in self.checks)}.")


def trust_document(trust: Trust) -> dict[str, Any]:
    """As JSON: `trust_of` makes the same of it again. A number that is not finite becomes null."""
    return {
        "thorough": trust.thorough,
        "checks": [
            {
                "code": check.code,
                "title": check.title,
                "verdict": check.verdict.value,
                "sentence": check.sentence,
                "facts": {name: _plain(value) for name, value in check.facts.items()},
            }
            for check in trust.checks
        ],
        "band": [
            {"mode": str(one.mode), "cost_times": one.cost_times, "total_return": _plain(one.total_return)}
            for one in trust.band
        ],
    }


def trust_of(document: Mapping[str, Any]) -> Trust:
    """From its stored document."""
    return Trust(
        thorough=bool(document.get("thorough", False)),
        checks=tuple(
            Check(
                code=check["code"],
                title=check["title"],
                verdict=Verdict(check["verdict"]),
                sentence=check["sentence"],
                facts={name: _number(value) for name, value in check["facts"].items()},
            )
            for check in document["checks"]
        ),
        band=tuple(
            Band(mode=one["mode"], cost_times=one["cost_times"], total_return=_number(one["total_return"]))
            for one in document["band"]
        ),
    )


def _plain(value: Fact) -> Fact | None:
    if isinstance(value, str):
        return value
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


def _number(value: Any) -> Any:
    return math.nan if value is None else value
