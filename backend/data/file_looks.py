"""FileLooks by processes that end after one look, so that what a file does to them concerns nobody else."""

import json
import signal
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput
from backend.domain.market_errors import BadFile, DataTooLarge, MarketDataError, UnknownUpload
from backend.infrastructure.one_shots import OneShots, TookTooLong

LONGEST_LOOK_SECONDS: Final = 30.0
# Each may take a gigabyte for a moment.
AT_ONCE: Final = 2
_WORK: Final = "backend.worker.looking"
_ERRORS: Final[Mapping[str, type[MarketDataError]]] = {one.code: one for one in (BadFile, DataTooLarge)}


class ProcessFileLooks:
    """After the first look one process waits, warm, for the next."""

    def __init__(self, environment: Mapping[str, str], *, longest_seconds: float = LONGEST_LOOK_SECONDS) -> None:
        """`environment` says where the uploads are; no secret belongs there."""
        self._shots = OneShots(_WORK, environment, longest_seconds=longest_seconds, at_once=AT_ONCE)
        self._longest_seconds = longest_seconds

    async def look(
        self,
        owner: UUID,
        upload_id: UUID,
        *,
        rows: int,
        reading: Mapping[str, Any] | None = None,
        timeframe: str | None = None,
        calendar: str,
    ) -> Mapping[str, Any]:
        asked = {
            "owner": str(owner),
            "upload_id": str(upload_id),
            "rows": rows,
            "reading": reading,
            "timeframe": timeframe,
            "calendar": calendar,
        }
        answer = await self._asked(json.dumps(asked).encode())
        if "invalid" in answer:
            raise InvalidInput([InputError(pointer=pointer, detail=detail) for pointer, detail in answer["invalid"]])
        if "error" in answer:
            if answer["error"] == UnknownUpload.code:
                raise UnknownUpload(upload_id)
            raise _ERRORS.get(answer["error"], BadFile)(answer["detail"])
        return answer

    async def close(self) -> None:
        await self._shots.close()

    async def _asked(self, request: bytes) -> dict[str, Any]:
        try:
            said, code = await self._shots.ask(request)
        except TookTooLong:
            raise BadFile(
                f"It was not read within {self._longest_seconds:,.0f} s, so it is none of the usual. Write it anew."
            ) from None
        if code != 0 or not said:
            raise BadFile(_why(code))
        answer: dict[str, Any] = json.loads(said)
        return answer


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "It takes too long to read, so it is none of the usual. Write it anew."
    return "Reading it took too much memory, or it makes the reader fail. Write it anew, or split it."
