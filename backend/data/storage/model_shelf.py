"""Models that research keeps on this machine, each in a folder of its own: its card, its file, and where it stands.

A model appears as a whole: it is written beside its place, forced to the disk, then renamed.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backend.domain.errors import InputError, InvalidInput
from backend.domain.market_errors import StorageFailed
from backend.domain.model_errors import ModelDamaged, ModelNotFound

_FOLDER: Final = "research-models"
_ID: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_CARD, _MODEL, _PLACE = "card.json", "model", "place.json"
_IN_PLACE: Final = frozenset({"state", "reason", "proven_until"})


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A model that is kept, without its file."""

    id: str
    saved_at: datetime
    state: str  # candidate, champion or retired
    reason: str
    proven_until: datetime | None  # the close of the last bar on which it held against a challenger
    card: Mapping[str, Any]

    def answers(self, series: Mapping[str, Any], question: str) -> bool:
        """Whether it was asked the same."""
        return dict(self.card["series"]) == dict(series) and self.card["question"] == question


class ModelShelf:
    """Models by id. An id may be cut as long as it means one of them."""

    def __init__(self, cache_dir: Path) -> None:
        self._folder = cache_dir / _FOLDER

    def save(self, card: Mapping[str, Any], content: bytes, *, state: str, reason: str) -> str:
        """Returns the new id."""
        model_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        draft = self._folder / f".{model_id}"
        try:
            draft.mkdir(parents=True)
            _write(draft / _CARD, json.dumps(card, indent=1).encode())
            _write(draft / _MODEL, content)
            _write(draft / _PLACE, _place(state, reason, None))
            draft.rename(self._folder / model_id)
            _sync(self._folder)
        except OSError as problem:
            shutil.rmtree(draft, ignore_errors=True)
            raise StorageFailed(f"{self._folder} cannot be written: {problem.strerror}.") from problem
        return model_id

    def load(self, model_id: str) -> Shelved:
        """Raises ModelNotFound, ModelDamaged."""
        return self._read(self._whole(model_id))

    def content(self, model_id: str) -> bytes:
        """Its file, compared with its card. Raises ModelNotFound, ModelDamaged."""
        kept = self.load(model_id)
        try:
            content = (self._folder / kept.id / _MODEL).read_bytes()
        except OSError as problem:
            raise ModelDamaged(f"The file of model {kept.id} cannot be read: {problem.strerror}.") from problem
        if hashlib.sha256(content).hexdigest() != kept.card["file"]["sha256"]:
            raise ModelDamaged(f"The file of model {kept.id} is not what was written. Train it again.")
        return content

    def champion(self, series: Mapping[str, Any], question: str) -> Shelved | None:
        return next((one for one in self.all() if one.state == "champion" and one.answers(series, question)), None)

    def place(self, model_id: str, state: str, reason: str, *, proven_until: datetime | None = None) -> None:
        """Where it stands from now on."""
        path = self._folder / self._whole(model_id) / _PLACE
        draft = path.with_suffix(".draft")
        try:
            _write(draft, _place(state, reason, proven_until))
            draft.rename(path)
            _sync(path.parent)
        except OSError as problem:
            raise StorageFailed(f"{path} cannot be written: {problem.strerror}.") from problem

    def all(self) -> Iterator[Shelved]:
        """Newest first; one that cannot be read is passed over."""
        for model_id in self._ids():
            try:
                yield self._read(model_id)
            except ModelDamaged:
                continue

    def _read(self, model_id: str) -> Shelved:
        folder = self._folder / model_id
        card, place = self._document(folder / _CARD), self._document(folder / _PLACE)
        try:
            proven = place["proven_until"]
            return Shelved(
                id=model_id,
                saved_at=datetime.strptime(model_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC),
                state=place["state"],
                reason=place["reason"],
                proven_until=datetime.fromisoformat(proven) if proven else None,
                card={
                    **card,
                    "file": {**card["file"]},
                    "series": {**card["series"]},
                    "question": str(card["question"]),
                },
            )
        except (ValueError, KeyError, TypeError) as problem:
            where = _PLACE if isinstance(problem, KeyError) and problem.args[0] in _IN_PLACE else _CARD
            raise ModelDamaged(_broken(folder / where, "does not hold what it should")) from None

    def _document(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise ModelDamaged(_broken(path, "is not there")) from None
        except OSError as problem:
            raise ModelDamaged(_broken(path, f"cannot be read ({problem.strerror})")) from None
        except ValueError:
            raise ModelDamaged(_broken(path, "is not JSON")) from None
        if not isinstance(found, dict):
            raise ModelDamaged(_broken(path, "does not hold what it should"))
        return found

    def _ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted((each.name for each in self._folder.iterdir() if _ID.fullmatch(each.name)), reverse=True)

    def _whole(self, model_id: str) -> str:
        # Only names that are there become paths, so that nothing a caller says can.
        there = self._ids()
        found = [one for one in there if one == model_id] or [one for one in there if one.startswith(model_id)]
        if model_id and len(found) > 1:
            some = ", ".join(found[:5])
            detail = f"{model_id[:60]!r} is the beginning of {len(found):,} models: {some}. Write more of it."
            raise InvalidInput([InputError(pointer="/model", detail=detail)], detail)
        if not model_id or not found:
            raise ModelNotFound(f"{model_id[:60]!r}: `tidemark model list` shows those that there are")
        return found[0]


def _broken(path: Path, what: str) -> str:
    """The cause, and both ways out."""
    return (
        f"{path.name} of model {path.parent.name} {what}. Put {path} back from a backup, or remove its folder and train"
        " the model again."
    )


def _place(state: str, reason: str, proven_until: datetime | None) -> bytes:
    told = {"state": state, "reason": reason, "proven_until": proven_until.isoformat() if proven_until else None}
    return json.dumps(told, indent=1).encode()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
