"""StrategyPreviews by processes that end after one preview, so that what a strategy does there concerns nobody else."""

import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from backend.domain import market_errors, strategy_errors
from backend.domain.errors import InputError, InvalidInput, ServiceUnavailable, TidemarkError
from backend.domain.strategy_errors import PreviewFailed
from backend.infrastructure.one_shots import OneShots, TookTooLong
from backend.infrastructure.places import Places

LONGEST_PREVIEW_SECONDS: Final = 30.0
AT_ONCE: Final = 2
MOST_WAITING: Final = 16
# Of one user, those that are made and those that wait together.
MOST_OF_ONE: Final = 4
_WORK: Final = "backend.worker.previewing"
_MODULES: Final = (market_errors, strategy_errors)


class ProcessStrategyPreviews:
    """After the first preview one process waits, warm, for the next."""

    def __init__(self, environment: Mapping[str, str], *, longest_seconds: float = LONGEST_PREVIEW_SECONDS) -> None:
        """`environment` says where bars and strategies are; no secret belongs there."""
        self._shots = OneShots(_WORK, environment, longest_seconds=longest_seconds, at_once=AT_ONCE)
        self._longest_seconds = longest_seconds
        self._places = Places("previews at once", of_one=MOST_OF_ONE)

    async def preview(self, asked: Mapping[str, Any], *, owner: UUID) -> Mapping[str, Any]:
        async with self._places.of(owner):
            return await self._made(asked)

    async def close(self) -> None:
        await self._shots.close()

    async def _made(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._shots.waiting >= MOST_WAITING:
            raise ServiceUnavailable(f"{MOST_WAITING} previews wait already. Try again shortly.", retry_after=5)
        try:
            said, code = await self._shots.ask(json.dumps(asked).encode())
        except TookTooLong:
            raise PreviewFailed(
                f"It was not made within {self._longest_seconds:,.0f} s. Ask for fewer bars, or use fewer indicators."
            ) from None
        if code != 0 or not said:
            raise PreviewFailed(_why(code))
        answer: dict[str, Any] = json.loads(said)
        if "problem" in answer:
            raise _error(answer)
        return answer


def _error(answer: Mapping[str, Any]) -> TidemarkError:
    """The same error as it was there."""
    kind = next((one for one in _kinds() if one.code == answer["problem"]), PreviewFailed)
    error = kind.__new__(kind)
    TidemarkError.__init__(error, answer["detail"])
    if isinstance(error, InvalidInput):
        error.errors = tuple(InputError(pointer=pointer, detail=detail) for pointer, detail in answer["errors"])
    return error


def _kinds() -> Iterator[type[TidemarkError]]:
    yield InvalidInput
    for module in _MODULES:
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, TidemarkError):
                yield one


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "It takes too much of the processor. Ask for fewer bars, or use fewer indicators."
    return "Its process ended before it answered, probably for lack of memory. Use fewer indicators or bars."
