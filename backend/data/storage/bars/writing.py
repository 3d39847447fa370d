"""One write of a series: new files, then the manifest that makes them count."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from backend.data.storage.bars import manifests
from backend.data.storage.bars.blocks import Block, Starts, empty_block, hash_of, starts_of
from backend.data.storage.bars.decoding import DamagedFile, Decoder, whole
from backend.data.storage.bars.drafts import CheckedPage, changed_periods
from backend.data.storage.bars.files import GROUP_ROWS, Encoding, comes_back, encode, encode_as_floats
from backend.data.storage.bars.folders import Folder
from backend.data.storage.bars.manifests import Kept, KeptFile
from backend.data.storage.bars.places import MANIFEST
from backend.data.storage.bars.shelves import Shelves
from backend.domain.market import Instrument, Series, Timeframe, joined
from backend.domain.periods import period_name


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A file that is ready to be written."""

    file: KeptFile
    data: pa.Buffer
    block: Block


@dataclass(frozen=True, kw_only=True)
class Write:
    """Pages for a series, from where."""

    instrument: Instrument
    series: Series
    pages: Sequence[CheckedPage]
    source: str

    def into(self, folder: Folder, shelves: Shelves, decoder: Decoder) -> Kept:
        """Do it, holding the lock of the folder."""
        before = shelves.mended(folder, self.series) or self._nothing(shelves)
        shelves.clean(folder, before)
        return self._over(before, before, folder, shelves, decoder)

    def instead(self, before: Kept, folder: Folder, shelves: Shelves, decoder: Decoder) -> Kept:
        """Without anything of what was kept before."""
        shelves.clean(folder, before)
        return self._over(before, replace(before, known=(), files=()), folder, shelves, decoder)

    def _over(self, before: Kept, base: Kept, folder: Folder, shelves: Shelves, decoder: Decoder) -> Kept:
        """`base` is what is left of the series before."""
        damage: dict[str, str] = {}

        def load(file: KeptFile) -> Block:
            try:
                return decoder.block(folder, base, [whole(file)])
            except DamagedFile as found:
                damage[found.name] = found.reason
                return empty_block()

        files = {file.period: file for file in base.files}
        changed = changed_periods(self.pages, files, load, self.series.timeframe)
        if damage:
            shelves.set_aside(folder, self.series, damage)
        encoded = self._encoded(changed, decoder)
        after = self._after(before, base.without(set(damage)), changed, encoded, shelves)
        _put(folder, before, after, encoded)
        for one in encoded[-1:]:  # a stream of pages goes on where this one ends
            decoder.remember(folder, after, [whole(one.file)], one.block)
        return after

    def _nothing(self, shelves: Shelves) -> Kept:
        return Kept(
            series=self.series,
            instrument=self.instrument,
            known=(),
            files=(),
            retired=(),
            source=self.source,
            fetched_at=shelves.clock.now(),
        )

    def _encoded(self, changed: Mapping[int, Block], decoder: Decoder) -> Sequence[Encoded]:
        """The new files, side by side; of a single large one its hash is made meanwhile."""
        work = [(period, block) for period, block in changed.items() if block.size]
        timeframe, pool = self.series.timeframe, decoder.pool

        def alone(one: tuple[int, Block]) -> Encoded:
            return _encoded(*one, timeframe, lambda: hash_of(one[1]))

        if len(work) > 1:
            return list(pool.map(alone, work))
        if work and work[0][1].shape[1] > GROUP_ROWS:
            return [_encoded(*work[0], timeframe, pool.submit(hash_of, work[0][1]).result)]
        return [alone(one) for one in work]

    def _after(
        self, before: Kept, sound: Kept, changed: Mapping[int, Block], encoded: Sequence[Encoded], shelves: Shelves
    ) -> Kept:
        files = {file.period: file for file in sound.files if file.period not in changed}
        files |= {one.file.period: one.file for one in encoded}
        names = {file.name for file in files.values()}
        return replace(
            sound,
            instrument=self.instrument,
            known=joined([*sound.known, *(page.known for page in self.pages)]),
            files=tuple(files[period] for period in sorted(files)),
            retired=tuple(sorted(before.file_names() - names)),
            source=self.source,
            fetched_at=shelves.clock.now(),
        )


def _put(folder: Folder, before: Kept, after: Kept, encoded: Sequence[Encoded]) -> None:
    try:
        for one in encoded:
            folder.write(one.file.name, memoryview(one.data))
        if encoded:
            folder.settle()
        folder.write(MANIFEST, manifests.to_bytes(after))
    except OSError:
        for name in after.file_names() - before.file_names() - set(before.retired):
            folder.remove(name)
        raise
    folder.settle()
    for name in set(before.retired) - after.file_names():
        folder.remove(name)
    folder.touch(after.fetched_at.timestamp())


def _encoded(period: int, block: Block, timeframe: Timeframe, content_hash: Callable[[], str]) -> Encoded:
    data, encoding = _lossless(block)
    starts, crc32, known_hash = starts_of(block), zlib.crc32(data), content_hash()
    file = KeptFile(
        name=f"{period_name(period, timeframe)}-{known_hash[:12]}-{crc32:08x}.parquet",
        period=period,
        rows=len(starts),
        group_starts=tuple(starts[::GROUP_ROWS].tolist()),
        last=int(starts[-1]),
        step=_step(starts),
        size_bytes=data.size,
        crc32=crc32,
        content_hash=known_hash,
        encoding=str(encoding),
    )
    return Encoded(file=file, data=data, block=block)


def _lossless(block: Block) -> tuple[pa.Buffer, Encoding]:
    """Bytes that were read back and compared, to the last bit."""
    data, encoding = encode(block)
    if not comes_back(data, block):
        data, encoding = encode_as_floats(block)
        if not comes_back(data, block):
            raise RuntimeError("Parquet does not give back the numbers that it was given.")
    return data, encoding


def _step(starts: Starts) -> int | None:
    steps = np.diff(starts)
    return int(steps[0]) if len(steps) and (steps == steps[0]).all() else None
