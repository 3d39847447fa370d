"""How much of the disk a person's own files may take: imported series, what was set aside of them, uploads, models."""

from pathlib import Path
from uuid import UUID

from backend.data.model_files import MODELS
from backend.data.storage.bars.places import BARS, QUARANTINE, bytes_in, owner_parts
from backend.data.storage.uploads import UPLOADS
from backend.domain.format import bytes_
from backend.domain.market_errors import DataTooLarge
from backend.domain.market_ports import DiskShare


class FolderQuotas:
    """DiskQuotas over the cache folder. What is there is looked at each time: other processes write there as well."""

    def __init__(self, cache_dir: Path, most_bytes: int) -> None:
        self._cache_dir = cache_dir
        self._most_bytes = most_bytes

    def share(self, owner: UUID) -> DiskShare:
        own = Path(*owner_parts(owner))
        series = bytes_in(self._cache_dir / BARS / own) + bytes_in(self._cache_dir / QUARANTINE / own)
        uploads = bytes_in(self._cache_dir / UPLOADS / str(owner))
        models = bytes_in(self._cache_dir / MODELS / str(owner))
        return DiskShare(series_bytes=series, uploads_bytes=uploads, models_bytes=models, most_bytes=self._most_bytes)

    def require(self, owner: UUID, size_bytes: int, *, instead_of: int = 0) -> None:
        share = self.share(owner)
        used = max(0, share.used_bytes - instead_of)
        if used + size_bytes > share.most_bytes:
            raise DataTooLarge(
                f"It needs {bytes_(size_bytes)}, and {bytes_(used)} of your {bytes_(share.most_bytes)} are taken:"
                f" {bytes_(share.series_bytes)} by imported series, {bytes_(share.uploads_bytes)} by uploaded files,"
                f" {bytes_(share.models_bytes)} by models. Delete series or models that you do not need; the files of"
                " deleted models, and what is uploaded and not imported, go within a day."
            )
