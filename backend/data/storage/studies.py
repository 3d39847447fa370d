"""Finished studies of this machine: a JSON document each below `data_cache/studies`, written whole or not at all."""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.domain.errors import BacktestNotFound
from backend.domain.market_errors import SeriesDamaged, StorageFailed

_FOLDER = "studies"
_ID = re.compile(r"study-[0-9a-z-]{3,40}")


class StudyShelf:
    """Stored studies by id. An id may be cut as long as it means one study."""

    def __init__(self, cache_dir: Path) -> None:
        self._folder = cache_dir / _FOLDER

    def save(self, document: Mapping[str, Any]) -> str:
        """Returns the new id, which the stored document has too."""
        now = datetime.now(UTC)
        study_id = f"study-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        text = json.dumps({**document, "id": study_id, "saved_at": now.isoformat(timespec="seconds")}, allow_nan=False)
        draft = self._folder / f".{study_id}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / f"{study_id}.json")
        except OSError as problem:
            draft.unlink(missing_ok=True)
            raise StorageFailed(f"{self._folder} cannot be written: {problem.strerror}.") from problem
        return study_id

    def load(self, study_id: str) -> dict[str, Any]:
        """Raises BacktestNotFound, or SeriesDamaged where its file is not what was written."""
        path = self._folder / f"{self._whole(study_id)}.json"
        try:
            document: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as problem:
            raise SeriesDamaged(f"The stored study {path.stem} cannot be read: {problem}. Run it again.") from None
        return document

    def ids(self) -> Iterator[str]:
        """Newest first."""
        if self._folder.is_dir():
            found = (each.stem for each in self._folder.glob("study-*.json"))
            yield from sorted((each for each in found if _ID.fullmatch(each)), reverse=True)

    def _whole(self, study_id: str) -> str:
        # Only names that are there become paths, so that nothing a caller says can.
        found = [one for one in self.ids() if one.startswith(study_id)]
        if not study_id or not found:
            raise BacktestNotFound(f"{study_id[:60]}: `tidemark backtest list` shows those that there are")
        if len(found) > 1:
            raise BacktestNotFound(
                f"{study_id[:60]} alone: {len(found):,} begin like that, as {found[0]} and {found[1]}"
            )
        return found[0]
