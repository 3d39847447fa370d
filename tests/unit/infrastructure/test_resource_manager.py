"""What may be given to jobs: the machine's, or the container's where that has less."""

from pathlib import Path

import pytest

from backend.domain.jobs import Demand
from backend.infrastructure.resource_manager import (
    ControlGroups,
    Memory,
    ResourceManager,
    machine_cores,
    machine_memory,
)

GIB = 1024**3
MIB = 1024**2


def tree(root: Path, own: str, **files: str) -> ControlGroups:
    """A file system with control groups; `__` in a name stands for a slash and `-` for a dot."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ControlGroups(root)


def test_version_two_in_a_container(tmp_path: Path) -> None:
    groups = tree(
        tmp_path,
        "0::/\n",
        **{
            "memory-max": f"{2 * GIB}\n",
            "memory-current": f"{GIB}\n",
            "memory-stat": f"anon {512 * MIB}\ninactive_file {256 * MIB}\n",
            "cpu-max": "150000 100000\n",
        },
    )
    assert groups.memory() == Memory(total_bytes=2 * GIB, available_bytes=GIB + 256 * MIB)
    assert groups.cores() == 1.5


def test_version_two_takes_the_tightest_level(tmp_path: Path) -> None:
    groups = tree(
        tmp_path,
        "0::/outer/inner\n",
        **{
            "outer__memory-max": f"{GIB}\n",
            "outer__memory-current": f"{900 * MIB}\n",
            "outer__memory-stat": "inactive_file 0\n",
            "outer__cpu-max": "50000 100000\n",
            "outer__inner__memory-max": "max\n",
            "outer__inner__memory-current": f"{10 * MIB}\n",
            "outer__inner__cpu-max": "max 100000\n",
        },
    )
    assert groups.memory() == Memory(total_bytes=GIB, available_bytes=124 * MIB)
    assert groups.cores() == 0.5


def test_version_one(tmp_path: Path) -> None:
    groups = tree(
        tmp_path,
        "4:memory:/box/one\n3:cpu,cpuacct:/box/one\n0::/\n",
        **{
            "memory__box__one__memory-limit_in_bytes": f"{4 * GIB}\n",
            "memory__box__one__memory-usage_in_bytes": f"{3 * GIB}\n",
            "memory__box__one__memory-stat": f"total_inactive_file {GIB}\n",
            "memory__memory-limit_in_bytes": "9223372036854771712\n",
            "memory__memory-usage_in_bytes": "1\n",
            "cpu__box__one__cpu-cfs_quota_us": "-1\n",
            "cpu__box__one__cpu-cfs_period_us": "100000\n",
            "cpu__cpu-cfs_quota_us": "300000\n",
            "cpu__cpu-cfs_period_us": "100000\n",
        },
    )
    assert groups.memory() == Memory(total_bytes=4 * GIB, available_bytes=2 * GIB)
    assert groups.cores() == 3.0


def test_a_group_that_is_mounted_as_the_root_of_a_container_is_found(tmp_path: Path) -> None:
    groups = tree(
        tmp_path,
        "4:memory:/docker/5f65\n",
        **{
            "memory__memory-limit_in_bytes": f"{GIB}\n",
            "memory__memory-usage_in_bytes": f"{GIB // 2}\n",
            "memory__memory-stat": "total_inactive_file 0\n",
        },
    )
    assert groups.memory() == Memory(total_bytes=GIB, available_bytes=GIB // 2)


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    groups = tree(tmp_path, "0::/\n")
    assert groups.memory() is None
    assert groups.cores() is None
    assert machine_memory(groups).total_bytes > 0
    assert machine_cores(groups) >= 1


def test_half_a_core_still_runs_one_job(tmp_path: Path) -> None:
    assert machine_cores(tree(tmp_path, "0::/\n", **{"cpu-max": "50000 100000\n"})) == 1


class Machine:
    """A machine whose memory the test sets."""

    def __init__(self, *, available: int = 8 * GIB) -> None:
        self.memory = Memory(total_bytes=8 * GIB, available_bytes=available)
        self.now = 0.0
        self.resources = ResourceManager(memory=lambda: self.memory, cores=4, clock=lambda: self.now)

    def use(self, count: int) -> None:
        self.memory = Memory(total_bytes=8 * GIB, available_bytes=self.memory.available_bytes - count)
        self.now += 1


def test_jobs_never_get_more_than_their_share_of_the_machine() -> None:
    assert Machine().resources.capacity() == Demand(cores=4, memory_bytes=6 * GIB)
    assert Machine().resources.room() == Demand(cores=4, memory_bytes=6 * GIB)


def test_what_is_held_is_not_free_until_it_is_given_back() -> None:
    resources = Machine().resources
    with resources.hold(Demand(cores=3, memory_bytes=2 * GIB)):
        assert resources.room() == Demand(cores=1, memory_bytes=4 * GIB)
    assert resources.room() == resources.capacity()


def test_memory_that_others_use_is_not_free() -> None:
    machine = Machine(available=3 * GIB)
    # A quarter of the reserve of 2 GiB is left to the machine.
    assert machine.resources.room().memory_bytes == 3 * GIB - GIB // 2


def test_memory_that_a_job_uses_of_its_own_counts_once() -> None:
    machine = Machine(available=4 * GIB)
    used = 0
    with machine.resources.hold(Demand(cores=1, memory_bytes=2 * GIB), lambda: used):
        before = machine.resources.room()
        used = GIB
        machine.use(GIB)
        assert machine.resources.room() == before


def test_memory_is_read_again_after_a_moment() -> None:
    machine = Machine()
    machine.use(7 * GIB)
    assert machine.resources.room().memory_bytes == GIB // 2


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (
            Demand(cores=5, memory_bytes=GIB),
            "It needs 5 cores and 1,024 MiB of memory; this machine gives tasks at most",
        ),
        (Demand(cores=1, memory_bytes=7 * GIB), "at most 4 cores and 6,144 MiB of memory."),
        (Demand(cores=2, memory_bytes=GIB), "Waits for a core: it needs 2, and 1 of 4 are free."),
        (Demand(cores=1, memory_bytes=5 * GIB), "Waits for memory: it needs 5,120 MiB, and 4,096 MiB of 6,144 MiB"),
    ],
)
def test_a_job_that_cannot_start_is_told_why(demand: Demand, words: str) -> None:
    resources = Machine().resources
    with resources.hold(Demand(cores=3, memory_bytes=2 * GIB)):
        admission = resources.can_run(demand)
    assert not admission.is_granted
    assert words in str(admission.reason)


def test_a_job_that_fits_may_start() -> None:
    assert Machine().resources.can_run(Demand(cores=4, memory_bytes=6 * GIB)).is_granted


def test_the_real_machine_is_described() -> None:
    gauges = ResourceManager().gauges()
    assert 0 < gauges.memory_available_bytes <= gauges.memory_total_bytes
    assert gauges.room.fits(gauges.capacity)
