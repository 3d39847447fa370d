"""Models in a private bucket of Supabase Storage, each under its owner and the digest of its content.

What was kept or read lies in the folder as well: children have no key of the project, so they work with these copies.
"""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import httpx
from storage3.exceptions import StorageApiError

from backend.data.model_files import YOUNG_SECONDS, FolderModelFiles, require_digest
from backend.domain.errors import ConfigurationError, ServiceUnavailable, TidemarkError
from backend.domain.format import bytes_
from backend.domain.market_errors import StorageFailed
from backend.domain.model_errors import ModelDamaged
from backend.domain.ports import Clock
from supabase import ClientOptions, create_client

_ENDING: Final = ".model"
_TIMEOUT_SECONDS: Final = 30
_PAGE: Final = 1_000
# The project answers so when what was asked for is not there, whatever the status of its response.
_MISSING, _TAKEN, _TOO_LARGE = "404", "409", "413"
Answer = TypeVar("Answer")


class BucketModelFiles:
    """ModelFiles and ModelCourier over a bucket, made with the project's secret key; safe between processes."""

    def __init__(self, url: str, secret_key: str, bucket: str, copies: FolderModelFiles, clock: Clock) -> None:
        # It is asked now and then, so no connection is kept and there is none to close.
        client = httpx.Client(timeout=_TIMEOUT_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))
        options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=client)
        self._url = url
        self._storage = create_client(url, secret_key, options).storage
        self._name = bucket
        self._copies = copies
        self._clock = clock
        self._is_open = False
        self._lock = threading.Lock()

    def keep(self, owner: UUID, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self._upload(_key(owner, digest), content)
        return self._copies.keep(owner, content)

    def read(self, owner: UUID, sha256: str) -> bytes:
        with contextlib.suppress(ModelDamaged):
            return self._copies.read(owner, sha256)
        content = self._download(_key(owner, sha256))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ModelDamaged("The file of this model is not what was written. Train it again.")
        self._copies.keep(owner, content)
        return content

    def forget(self, owner: UUID, sha256: str) -> None:
        self._remove([_key(owner, sha256)])
        self._copies.forget(owner, sha256)

    def forget_all(self, owner: UUID) -> None:
        keys = [f"{owner}/{file['name']}" for file in self._listed(str(owner))]
        for first in range(0, len(keys), _PAGE):
            self._remove(keys[first : first + _PAGE])
        self._copies.forget_all(owner)

    def sweep(self, named: Collection[tuple[UUID, str]]) -> int:
        kept = {_key(owner, sha256) for owner, sha256 in named}
        old = [key for key, age_seconds in self._aged() if key not in kept and age_seconds > YOUNG_SECONDS]
        for first in range(0, len(old), _PAGE):
            self._remove(old[first : first + _PAGE])
        return max(len(old), self._copies.sweep(named))

    def fetch(self, owner: UUID, sha256: str) -> None:
        self.read(owner, sha256)

    def deliver(self, owner: UUID, sha256: str) -> None:
        self._upload(_key(owner, sha256), self._copies.read(owner, sha256))

    def _upload(self, key: str, content: bytes) -> None:
        """In the place of what is there: it may be damaged, and is young again."""
        self._open()
        file_options: Any = {"content-type": "application/octet-stream", "upsert": "true"}
        try:
            self._ask(lambda: self._storage.from_(self._name).upload(key, content, file_options))
        except _Refused as problem:
            if problem.status == _TOO_LARGE:
                raise StorageFailed(
                    f"The model takes {bytes_(len(content))}, and the bucket '{self._name}' takes no file of that size."
                    " The operator can raise the upload limit of the project."
                ) from problem
            raise

    def _download(self, key: str) -> bytes:
        self._open()
        try:
            return self._ask(lambda: self._storage.from_(self._name).download(key))
        except _Refused as problem:
            if problem.status == _MISSING:
                raise ModelDamaged("The file of this model is gone. Train it again.") from problem
            raise

    def _remove(self, keys: list[str]) -> None:
        self._open()
        self._ask(lambda: self._storage.from_(self._name).remove(keys))

    def _aged(self) -> Iterator[tuple[str, float]]:
        """Every file of the bucket, with its age in seconds."""
        now = self._clock.now()
        for folder in self._listed(""):
            for file in self._listed(folder["name"]):
                written = file.get("updated_at")
                if written is not None:
                    age = now - datetime.fromisoformat(written)
                    yield f"{folder['name']}/{file['name']}", age.total_seconds()

    def _listed(self, prefix: str) -> list[dict[str, Any]]:
        self._open()
        found: list[dict[str, Any]] = []
        while len(found) % _PAGE == 0:
            options: Any = {"limit": _PAGE, "offset": len(found), "sortBy": {"column": "name", "order": "asc"}}
            page = self._ask(lambda options=options: self._storage.from_(self._name).list(prefix, options))  # type: ignore[misc]
            if not page:
                break
            found += page
        return found

    def _open(self) -> None:
        """Makes the bucket when it is missing, and refuses one that anybody may read."""
        with self._lock:
            if not self._is_open:
                self._require_private()
                self._is_open = True

    def _require_private(self) -> None:
        try:
            bucket = self._ask(lambda: self._storage.get_bucket(self._name))
        except _Refused as problem:
            if problem.status != _MISSING:
                raise
            self._make()
            return
        if bucket.public:
            raise ConfigurationError(
                f"The bucket '{self._name}' of {self._url} is public, so anybody could read models."
                " Make it private, or name another one by TIDEMARK_MODELS_BUCKET."
            )

    def _make(self) -> None:
        try:
            self._ask(lambda: self._storage.create_bucket(self._name, options={"public": False}))
        except _Refused as problem:
            if problem.status != _TAKEN:
                raise
            self._require_private()  # another process was first

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        try:
            return request()
        except StorageApiError as problem:
            raise self._meaning(problem) from problem
        except httpx.HTTPError as problem:
            raise ServiceUnavailable(f"{self._url}/storage does not answer: {type(problem).__name__}.") from problem

    def _meaning(self, problem: StorageApiError) -> TidemarkError:
        status = str(problem.status)
        if status in ("401", "403"):
            return ConfigurationError(
                f"The project refused the secret key: {problem.message}. Check SUPABASE_SECRET_KEY."
            )
        if status.startswith("5") or status == "429":
            return ServiceUnavailable(f"{self._url}/storage cannot answer now ({status}): {problem.message[:200]}")
        return _Refused(f"The bucket '{self._name}' refused it ({status}): {problem.message[:200]}", status)


class _Refused(StorageFailed):
    def __init__(self, detail: str, status: str) -> None:
        super().__init__(detail)
        self.status = status


def _key(owner: UUID, sha256: str) -> str:
    require_digest(sha256)
    return f"{owner}/{sha256}{_ENDING}"
