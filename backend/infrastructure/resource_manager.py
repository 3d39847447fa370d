"""What this machine, or the container around us, can give to jobs: what is there, what is taken, what is free."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend.domain.job_ports import Admission, MachineGauges
from backend.domain.jobs import Demand

# Jobs step back for the server, so they may have every core, but never all of the memory.
MEMORY_SHARE = 0.75
# A limit above any real machine means that there is none.
_NO_LIMIT_BYTES = 1 << 60
_FRESH_SECONDS = 0.25
_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What there is and what nobody uses."""

    total_bytes: int
    available_bytes: int


class ControlGroups:
    """The limits that a container puts on us: of version 2, of version 1, on any level above us."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._mounts = root / "sys/fs/cgroup"
        self._own = _own_groups(root / "proc/self/cgroup")

    def memory(self) -> Memory | None:
        """The tightest limit that holds for us; None when there is none."""
        found = [
            *(_memory(group, "memory.max", "memory.current", "inactive_file") for group in self._levels("", "unified")),
            *(
                _memory(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                for group in self._levels("memory", "memory")
            ),
        ]
        return min((one for one in found if one is not None), key=lambda one: one.available_bytes, default=None)

    def cores(self) -> float | None:
        """How many cores' worth of time we get; None when that is not limited."""
        quotas = [_quota(_words(group / "cpu.max")) for group in self._levels("", "unified")]
        for group in self._levels("cpu", "cpu"):
            quotas.append(_quota(_words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")))
        return min((quota for quota in quotas if quota is not None), default=None)

    def _levels(self, controller: str, folder: str) -> list[Path]:
        """Our own group and all above it. Inside a container its own group may be mounted as the root."""
        if controller not in self._own:
            return []
        hybrid = self._mounts / folder
        mount = hybrid if hybrid.is_dir() else self._mounts
        levels = [mount]
        for part in self._own[controller].strip("/").split("/"):
            levels.append(levels[-1] / part)
        return [level for level in levels if level.is_dir()]


class ResourceManager:
    """A ResourceMonitor over psutil and control groups. Whoever starts a job takes what it needs with `hold`."""

    def __init__(
        self,
        *,
        memory_share: float = MEMORY_SHARE,
        memory: Callable[[], Memory] | None = None,
        cores: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        groups = ControlGroups()
        self._read_memory = memory or (lambda: machine_memory(groups))
        self._cores = cores or machine_cores(groups)
        self._share = memory_share
        self._clock = clock
        self._held: list[_Held] = []
        self._memory = self._read_memory()
        self._read_at = clock()

    def capacity(self) -> Demand:
        return Demand(cores=self._cores, memory_bytes=int(self._memory.total_bytes * self._share))

    def room(self) -> Demand:
        capacity, memory = self.capacity(), self._fresh_memory()
        promised = sum(held.demand.memory_bytes for held in self._held)
        # What jobs use already is not available any more, so only what they may still take counts against it.
        still_to_come = sum(max(held.demand.memory_bytes - held.used(), 0) for held in self._held)
        reserve = memory.total_bytes - capacity.memory_bytes
        free = min(capacity.memory_bytes - promised, memory.available_bytes - still_to_come - reserve // 4)
        return Demand(
            cores=max(capacity.cores - sum(held.demand.cores for held in self._held), 0), memory_bytes=max(free, 0)
        )

    def can_run(self, demand: Demand) -> Admission:
        capacity, room = self.capacity(), self.room()
        if not demand.fits(capacity):
            return Admission(
                is_granted=False,
                reason=f"It needs {_amount(demand)}; this machine gives tasks at most {_amount(capacity)}.",
            )
        if demand.cores > room.cores:
            return Admission(
                is_granted=False,
                reason=f"Waits for a core: it needs {demand.cores}, and {room.cores} of {capacity.cores} are free.",
            )
        if demand.memory_bytes > room.memory_bytes:
            return Admission(
                is_granted=False,
                reason=f"Waits for memory: it needs {_mib(demand.memory_bytes)}, and {_mib(room.memory_bytes)}"
                f" of {_mib(capacity.memory_bytes)} are free.",
            )
        return Admission(is_granted=True)

    @contextlib.contextmanager
    def hold(self, demand: Demand, used: Callable[[], int] = lambda: 0) -> Iterator[None]:
        """Take so much of the room until the block ends; `used` tells how much memory of it is in use by now."""
        held = _Held(demand=demand, used=used)
        self._held.append(held)
        try:
            yield
        finally:
            self._held.remove(held)

    def gauges(self) -> MachineGauges:
        memory = self._fresh_memory()
        return MachineGauges(
            cpu_percent=psutil.cpu_percent(),
            memory_total_bytes=memory.total_bytes,
            memory_available_bytes=memory.available_bytes,
            capacity=self.capacity(),
            room=self.room(),
        )

    def _fresh_memory(self) -> Memory:
        if self._clock() - self._read_at > _FRESH_SECONDS:
            self._memory, self._read_at = self._read_memory(), self._clock()
        return self._memory


@dataclass(frozen=True, kw_only=True, eq=False)
class _Held:
    demand: Demand
    used: Callable[[], int]


def machine_memory(groups: ControlGroups) -> Memory:
    machine, limit = psutil.virtual_memory(), groups.memory()
    if limit is None or limit.total_bytes >= machine.total:
        return Memory(total_bytes=machine.total, available_bytes=machine.available)
    return Memory(total_bytes=limit.total_bytes, available_bytes=min(limit.available_bytes, machine.available))


def machine_cores(groups: ControlGroups) -> int:
    """Whole cores: half a core still runs one job, slowly."""
    ours = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = groups.cores()
    return ours if quota is None else max(min(ours, int(quota)), 1)


def _own_groups(table: Path) -> dict[str, str]:
    """Controller to path; version 2 has one path for all of them, under the name ''."""
    groups = {}
    for line in _lines(table):
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _memory(group: Path, limit: str, usage: str, cache: str) -> Memory | None:
    """What a group may use and what of it is free; files that can be dropped from memory count as free."""
    total, used = (_number(_words(group / name)) for name in (limit, usage))
    if total is None or used is None or total >= _NO_LIMIT_BYTES:
        return None
    statistics = dict(line.split() for line in _lines(group / "memory.stat"))
    return Memory(total_bytes=total, available_bytes=max(total - used + int(statistics.get(cache, 0)), 0))


def _quota(words: list[str]) -> float | None:
    """'200000 100000' is two cores; 'max ...' and -1 are no limit."""
    if len(words) != 2 or words[0] in ("max", "-1"):
        return None
    return int(words[0]) / int(words[1])


def _number(words: list[str]) -> int | None:
    return int(words[0]) if words and words[0].isdigit() else None


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _amount(demand: Demand) -> str:
    return f"{demand.cores} {'core' if demand.cores == 1 else 'cores'} and {_mib(demand.memory_bytes)} of memory"


def _mib(count: int) -> str:
    return f"{count / _MIB:,.0f} MiB"
