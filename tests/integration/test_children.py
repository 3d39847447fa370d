"""Warm children in real processes: what they may see, how jobs end in them, and how they end themselves."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.domain.job_data import LARGEST_RESULT_BYTES
from backend.domain.jobs import JobFailure, Progress
from backend.worker import child as child_module
from backend.worker import process
from backend.worker.child import Child
from backend.worker.children import Children
from backend.worker.endings import Assignment, Ending, How

MIB = 1024**2
ROOT = Path(__file__).resolve().parent.parent.parent


def assignment(name: str, *, wall: float = 60, mib: int = 256, cores: int = 1, **payload: Any) -> Assignment:
    return Assignment(
        work=f"tests.integration.works:{name}",
        payload=payload,
        cores=cores,
        memory_bytes=mib * MIB,
        wall_limit_seconds=wall,
    )


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    children = Children(2)
    await children.open()
    try:
        yield children
    finally:
        await children.close()


@asynccontextmanager
async def lent(children: Children) -> AsyncIterator[Child]:
    await until(lambda: children.idle)
    child = children.take()
    assert child is not None
    try:
        yield child
    finally:
        children.give_back(child)


async def do(children: Children, what: Assignment, told: list[Progress] | None = None) -> Ending:
    async with lent(children) as child:
        return await child.run(what, (told if told is not None else []).append)


def failure_of(ending: Ending) -> JobFailure:
    assert ending.failure is not None
    return ending.failure


async def test_a_job_returns_what_its_function_returns(children: Children) -> None:
    ending = await do(children, assignment("echo", symbol="BTC/USDT", nested=[1, {"a": None}]))
    assert ending.how == How.RETURNED
    assert ending.result is not None
    assert ending.result["symbol"] == "BTC/USDT"
    assert ending.result["nested"] == [1, {"a": None}]


async def test_the_same_warm_child_does_one_job_after_the_other(children: Children) -> None:
    pids = {(await do(children, assignment("echo"))).result["pid"] for _ in range(20)}  # type: ignore[index]  # it is there
    assert len(pids) <= 2


async def test_a_child_knows_no_secret_and_no_database(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SUPABASE_SECRET_KEY", "ENCRYPTION_KEY", "TIDEMARK_SMTP_URL", "PGPASSWORD"):
        monkeypatch.setenv(name, "canary-5e4d")
    fresh = Children(1)
    await fresh.open()
    try:
        seen = (await do(fresh, assignment("look_around"))).result
    finally:
        await fresh.close()
    assert seen is not None
    assert "canary-5e4d" not in str(seen["environment"])
    assert seen["modules"] == []
    # Nothing, the log twice, the line and the leash to the parent, and the folder that is being listed.
    assert seen["descriptors"] == 6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a process to processors")
async def test_a_job_gets_the_cores_that_it_was_granted(children: Children) -> None:
    seen = (await do(children, assignment("look_around", cores=1))).result
    assert seen is not None
    assert seen["cpus"] == 1
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    assert seen["niceness"] > os.nice(0)
    available = len(os.sched_getaffinity(0))
    seen = (await do(children, assignment("look_around", cores=available))).result
    assert seen is not None
    assert seen["cpus"] == available


async def test_an_error_is_told_with_its_name_and_the_last_lines(children: Children) -> None:
    ending = await do(children, assignment("raise_error", divisor=0))
    failure = failure_of(ending)
    assert (ending.how, failure.code) == (How.RAISED, "unexpected_error")
    assert failure.detail == "ZeroDivisionError: division by zero"
    assert "about to divide" in str(failure.log_tail)
    assert "works.py" in str(failure.log_tail)


@pytest.mark.parametrize(
    "words",
    [
        b"\xff" * 64,
        process.frame({"say": "done", "result": {}, "is_partial": False, "seconds": "soon"}),
        process.frame({"say": "done", "result": [1], "is_partial": False, "seconds": 1.0}),
        process.frame({"say": "progress", "stage": "s", "percent": None, "message": "", "curve": 7}),
        (100_000).to_bytes(4, "big") + b"[" * 100_000,
    ],
    ids=["no length", "no time", "no result", "no curve", "too deep"],
)
async def test_a_child_that_talks_nonsense_is_ended_and_replaced(children: Children, words: bytes) -> None:
    ending = await do(children, assignment("babble", words=words.decode("latin-1")))
    assert ending.how == How.DIED
    assert failure_of(ending).code == "worker_died"
    assert (await do(children, assignment("echo"))).how == How.RETURNED


async def test_nan_is_no_result(children: Children) -> None:
    assert "JSON" in failure_of(await do(children, assignment("return_nan"))).detail


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGKILL", "signal 9 (SIGKILL)"),
        ("segfault", "signal 11 (SIGSEGV)"),
        ("SIGABRT", "signal 6 (SIGABRT)"),
        ("exit", "exit code 7"),
        ("SIGRTMAX", "signal 64 ("),
        ("garble", "signal 9 (SIGKILL)"),
    ],
)
async def test_a_child_that_dies_takes_its_own_job_only_and_is_replaced(
    children: Children, how: str, words: str
) -> None:
    innocent = asyncio.create_task(do(children, assignment("count", steps=10, pause=0.05)))
    await asyncio.sleep(0.2)
    ending = await do(children, assignment("crash", how=how))
    assert ending.how == How.DIED
    assert words in failure_of(ending).detail
    assert "the last line before the end" in str(failure_of(ending).log_tail)
    assert (await innocent).result == {"counted": 10}
    await until(lambda: children.fit == 2)
    assert (await do(children, assignment("echo"))).how == How.RETURNED


async def test_a_job_that_allocates_without_end_dies_with_its_numbers(children: Children) -> None:
    innocent = asyncio.create_task(do(children, assignment("count", steps=20, pause=0.05)))
    ending = await do(children, assignment("allocate", mib=128))
    failure = failure_of(ending)
    assert (ending.how, failure.code) == (How.OUT_OF_MEMORY, "memory_limit_reached")
    assert "128 MiB were set aside for it" in failure.detail
    assert "holding" in str(failure.log_tail)
    assert (await innocent).result == {"counted": 20}


async def test_what_earlier_jobs_left_is_not_held_against_the_next(children: Children) -> None:
    async with lent(children) as child:
        await child.run(assignment("hoard", bytes=100 * MIB), ignore)
        ending = await child.run(assignment("hoard", mib=64, bytes=16 * MIB, pause=0.3), ignore)
        assert ending.how == How.RETURNED
        assert child.held_bytes() > 116 * MIB
        assert (
            await child.run(assignment("hoard", mib=64, bytes=80 * MIB, pause=0.3), ignore)
        ).how == How.OUT_OF_MEMORY


async def test_a_child_gives_back_what_its_job_let_go(children: Children) -> None:
    async with lent(children) as child:
        assert (await child.run(assignment("squander", bytes=100 * MIB), ignore)).how == How.RETURNED
        assert child.held_bytes() < 64 * MIB


async def test_a_child_that_has_grown_is_replaced_after_its_job() -> None:
    restarts: list[bool] = []
    children = Children(1, most_idle_bytes=64 * MIB, on_restart=lambda: restarts.append(True))
    await children.open()
    try:
        pids = [(await do(children, assignment("echo"))).result["pid"] for _ in range(2)]  # type: ignore[index]  # it is there
        assert (await do(children, assignment("hoard", bytes=100 * MIB))).how == How.RETURNED
        fresh = (await do(children, assignment("echo"))).result
        assert fresh is not None
        assert pids[0] == pids[1] != fresh["pid"]
        assert restarts == []
    finally:
        await children.close()


async def test_an_idle_child_prepares_itself_once_and_works_if_it_cannot() -> None:
    children = Children(1, environment={process.PREPARES_NAME: "tests.integration.works:prepare"})
    await children.open()
    try:
        assert (await do(children, assignment("was_prepared"))).result == {"prepared": 0}
        await until_prepared(children)
        assert (await do(children, assignment("was_prepared"))).result == {"prepared": 1}
    finally:
        await children.close()


async def test_a_job_that_listens_stops_soon_with_a_partial_result(children: Children) -> None:
    async with lent(children) as child:
        job = asyncio.create_task(child.run(assignment("count", steps=1000, pause=0.01), ignore))
        await asyncio.sleep(0.3)
        child.end_job_soon()
        ending = await job
    assert ending.how == How.CANCELLED
    assert ending.result is not None
    assert 0 < ending.result["counted"] < 1000
    assert child.is_fit


async def test_a_job_that_ends_before_it_hears_of_the_cancel_is_whole(children: Children) -> None:
    async with lent(children) as child:
        job = asyncio.create_task(child.run(assignment("echo", a=1), ignore))
        await asyncio.sleep(0)
        child.end_job_soon()
        assert (await job).how == How.RETURNED


async def test_a_job_that_ignores_everything_is_gone_within_five_seconds(children: Children) -> None:
    told: list[Progress] = []
    async with lent(children) as child:
        job = asyncio.create_task(child.run(assignment("ignore_everything"), told.append))
        await until(lambda: bool(told))
        began = time.monotonic()
        child.end_job_soon()
        ending = await job
    assert time.monotonic() - began < 5
    assert ending.how == How.CANCELLED
    assert not psutil.pid_exists(child.pid)
    assert not child.is_fit


@pytest.mark.parametrize("how", [How.DIED, How.CANCELLED])
async def test_a_job_takes_with_it_what_it_forked(children: Children, how: How) -> None:
    """A process that it forked holds the lines to us, which therefore do not break when it ends."""
    told: list[Progress] = []
    async with lent(children) as child:
        seconds = 0.3 if how is How.DIED else 60
        job = asyncio.create_task(child.run(assignment("fork", seconds=seconds), told.append))
        await until(lambda: any(progress.message for progress in told))
        if how is How.CANCELLED:
            child.end_job_soon()
        ending = await asyncio.wait_for(job, 10)
    assert ending.how == how
    forked = int(next(progress.message for progress in told if progress.message) or 0)
    await until(lambda: not _runs(forked))
    await until(lambda: children.idle == 2)


def _runs(pid: int) -> bool:
    """A process that nobody has buried yet does not run any more."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_a_job_over_its_time_is_ended(children: Children) -> None:
    ending = await do(children, assignment("count", wall=0.3, steps=1000, pause=0.01))
    assert ending.how == How.TIMED_OUT
    assert failure_of(ending).code == "time_limit_reached"


async def test_a_stopped_child_does_not_answer_and_is_ended(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.worker.children.PING_SECONDS", 0.05)
    quick = Children(1)
    await quick.open()
    try:
        async with lent(quick) as child:
            job = asyncio.create_task(child.run(assignment("count", steps=1000), ignore))
            await asyncio.sleep(0.3)
            assert child.answers
            os.kill(child.pid, signal.SIGSTOP)
            await until(lambda: not child.answers)
            ending = await job
        assert ending.how == How.DIED
        assert "stopped answering" in failure_of(ending).detail
    finally:
        await quick.close()


async def test_a_computing_child_answers(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.children.PING_SECONDS", 0.1)
    quick = Children(1)
    await quick.open()
    try:
        async with lent(quick) as child:
            job = asyncio.create_task(child.run(assignment("report_much", seconds=2), ignore))
            while not job.done():
                assert child.answers
                await asyncio.sleep(0.02)
    finally:
        await quick.close()


async def test_progress_is_told_seldom_and_the_latest_is_not_lost(children: Children) -> None:
    told: list[Progress] = []
    ending = await do(children, assignment("report_much", seconds=1), told)
    assert ending.result is not None
    # Ten a second; on a busy machine the second is longer, and there are fewer of both.
    assert 2 <= len(told) < ending.result["reports"] / 10
    assert told[0].stage == "hurrying"


async def test_lines_are_told_while_they_are_printed_and_kept_at_the_end(children: Children) -> None:
    told: list[Progress] = []
    lines = [f"epoch {number}\n" for number in range(10)]
    ending = await do(children, assignment("print_lines", lines=lines, pause=0.1), told)
    assert ending.log_tail == "\n".join(f"epoch {number}" for number in range(10))
    logs = [str(progress.log_tail) for progress in told]
    assert 2 <= len(logs) <= len(lines) + 1
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(logs))


async def test_last_line_before_the_end_is_never_missing(children: Children) -> None:
    for number in range(50):
        ending = await do(children, assignment("print_lines", lines=["first\n", f"the end of {number}\n"]))
        assert ending.log_tail == f"first\nthe end of {number}"


async def test_log_of_one_job_is_not_that_of_the_next(children: Children) -> None:
    async with lent(children) as child:
        assert (await child.run(assignment("print_lines", lines=["mine\n"]), ignore)).log_tail == "mine"
        assert (await child.run(assignment("echo"), ignore)).log_tail is None


async def test_log_is_bounded_and_readable_whatever_is_printed(children: Children) -> None:
    noise = ["\x00\x1b[31mred\x1b[0m\n", "10 %\r20 %\r30 %\n", "\xff\xfe\n", "x" * 300_000 + "\n", "last\n"]
    ending = await do(children, assignment("print_lines", lines=noise, raw=True))
    assert ending.log_tail == "last"
    ending = await do(children, assignment("print_lines", lines=noise[:3], raw=True))
    assert ending.log_tail == "red\n30 %\n\ufffd\ufffd"
    many = await do(children, assignment("print_lines", lines=[f"line {number}\n" for number in range(5000)]))
    assert str(many.log_tail).splitlines() == [f"line {number}" for number in range(4960, 5000)]


async def test_result_that_is_too_large_is_refused_with_the_numbers(children: Children) -> None:
    most = await do(children, assignment("return_much", mib=512, bytes=LARGEST_RESULT_BYTES - 100))
    assert most.how == How.RETURNED
    failure = failure_of(await do(children, assignment("return_much", mib=512, bytes=LARGEST_RESULT_BYTES + 2000)))
    assert failure.code == "result_too_large"
    assert f"at most {LARGEST_RESULT_BYTES:,} are kept" in failure.detail
    assert (await do(children, assignment("echo"))).how == How.RETURNED


def test_a_child_dies_with_its_parent() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from backend.worker.child import Child\n"
        "async def main():\n"
        "    child = await Child.start()\n"
        "    await child.ready()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, _ = psutil.wait_procs([child], timeout=5)
    assert gone


async def test_closing_leaves_no_process() -> None:
    children = Children(2)
    await children.open()
    async with lent(children) as first, lent(children) as second:
        pids = {first.pid, second.pid}
    await children.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_closing_while_a_child_starts_leaves_no_process() -> None:
    before = {process.pid for process in psutil.Process().children()}
    for pause in (0, 0.001, 0.01, 0.03):
        children = Children(2)
        await children.open()
        await asyncio.sleep(pause)
        await children.close()
    assert {process.pid for process in psutil.Process().children()} == before


async def test_a_child_that_does_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    good = child_module.child_environment
    monkeypatch.setattr(child_module, "child_environment", lambda: {**good(), "PYTHONPATH": "/nowhere", "PATH": ""})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    child = await Child.start()
    assert not await child.ready()


async def until_prepared(children: Children) -> None:
    for _ in range(100):
        if (await do(children, assignment("was_prepared"))).result != {"prepared": 0}:
            return
        await asyncio.sleep(process.SECONDS_BEFORE_PREPARING + 0.1)


def ignore(progress: Progress) -> None:
    pass


async def until(holds: Any, *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
