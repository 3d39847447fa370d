"""Jobs: from the submit to a job's first line, and how many a second, each durable with its lease, result and events.

The first line is timed by the job itself, on the monotonic clock that all processes of a Linux machine share. A commit
counts from its answer. Ours runs on an embedded Postgres with fsync on; the peer keeps nothing safe.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import uvloop

from backend.domain.jobs import JobKind
from scripts.benches.figures import OURS, Figure, at_least, at_most, percentile
from scripts.benches.queueing import limits
from scripts.benches.queueing.celery_peer import Celery, running_celery
from scripts.benches.queueing.company import JOB_SECONDS, stubborn_gone_after_seconds, waits_during_burst_ms
from scripts.benches.queueing.foreseen import missed_by_percent
from scripts.benches.queueing.hog import health_while_hogged
from scripts.benches.queueing.ours import Queue, open_queue

T = TypeVar("T")

PIPE = "limit: pipe to a warm process"
DURABLE = "limit: durable insert, then in-process queue"
CELERY = "Celery on Redis"
START, RATE = "submit to first line", "jobs a second, 64 in flight"
# What a job may wait when nothing else does: the 99th percentile that is asked for.
USUAL_WAIT_MS = 5.0


def run() -> Sequence[Figure]:
    os.environ["TIDEMARK_ENV_FILE"] = ""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    _say("The pipe")
    pipe = [
        Figure(work=START, engine=PIPE, value=limits.pipe_start_ms(), unit="ms"),
        Figure(work=RATE, engine=PIPE, value=limits.pipe_jobs_a_second(), unit="/s"),
    ]
    _say("Starting Celery and Tidemark")
    with running_celery(cores) as celery:
        measured = _on_our_loop(_side_by_side(celery))
    return [*pipe, *measured, *_on_our_loop(_hogged())]


async def _side_by_side(celery: Celery) -> list[Figure]:
    """Each of ours right after the peer's: what else the machine does changes by the minute."""
    async with open_queue() as queue:
        _say("The durable insert")
        durable = [
            Figure(work=START, engine=DURABLE, value=await limits.durable_start_ms(queue.owner_dsn), unit="ms"),
            Figure(work=RATE, engine=DURABLE, value=await limits.durable_jobs_a_second(queue.owner_dsn), unit="/s"),
        ]
        _say("One job at a time")
        starts = await _starts(queue, celery.starts_ms())
        _say("64 in flight")
        rates = await _rates(queue, celery.tasks_a_second())
        _say("Bursts of one user, and single jobs of another")
        bursts = await _bursts(queue)
        _say(f"{await queue.verify():,} jobs have their results and all of their events")
        _say("A job that ignores its cancel")
        gone = at_most("a job that ignores its cancel is gone", await stubborn_gone_after_seconds(queue), "s", 5)
        _say("What is foreseen")
        foreseen = at_most("time of a job against what was foreseen, median", await missed_by_percent(queue), "%", 30)
    return [*durable, *starts, *rates, *bursts, gone, foreseen]


async def _starts(queue: Queue, peer: list[float]) -> list[Figure]:
    starts, rested = await queue.starts(), await queue.starts(100, rest_seconds=0.02)
    commit = [start.from_commit_ms for start in starts]
    call = [start.from_call_ms for start in starts]
    peers = {share: percentile(peer, share) for share in (0.5, 0.99)}
    return [
        Figure(work=f"{START}, median", engine=CELERY, value=peers[0.5], unit="ms"),
        Figure(work=f"{START}, p99", engine=CELERY, value=peers[0.99], unit="ms"),
        _at_most_ms("commit to first line, median", percentile(commit, 0.5), 1, peers[0.5]),
        _at_most_ms("commit to first line, p99", percentile(commit, 0.99), USUAL_WAIT_MS, peers[0.99]),
        _at_most_ms(f"{START}, median", percentile(call, 0.5), 3, peers[0.5]),
        # Everything has left the caches by then, which is how a lone job finds it.
        Figure(
            work="commit to first line after 20 ms of rest, median",
            engine=OURS,
            value=percentile([start.from_commit_ms for start in rested], 0.5),
            unit="ms",
        ),
    ]


async def _rates(queue: Queue, peer: float) -> list[Figure]:
    figures = [Figure(work=RATE, engine=CELERY, value=peer, unit="/s")]
    for users in (1, len(queue.users)):
        rate = await queue.jobs_a_second(users)
        who = "one user" if users == 1 else f"{users} users"
        figures.append(at_least(f"{RATE}, {who}", rate, "/s", 1_000, ratio=rate / peer, ratio_to=f"of {CELERY}"))
    return figures


async def _bursts(queue: Queue) -> list[Figure]:
    """Another's job may wait for one running job, and no longer."""
    most = JOB_SECONDS * 1e3 + USUAL_WAIT_MS
    slow = await waits_during_burst_ms(queue, JobKind.BACKTEST, seconds=JOB_SECONDS)
    brief = await waits_during_burst_ms(queue, JobKind.PREDICT)
    return [
        at_most(f"longest wait of another's job in a burst of {JOB_SECONDS * 1e3:.0f} ms jobs", max(slow), "ms", most),
        at_most("longest wait of another's job in a burst of no-op jobs", max(brief), "ms", most),
    ]


async def _hogged() -> list[Figure]:
    _say("Tidemark: a job that takes memory without end")
    hogged = await health_while_hogged()
    for detail in hogged.details:
        _say(f"  {detail}")
    return [at_most("/healthz while a job eats memory, p99", percentile(hogged.healthz_ms, 0.99), "ms", 100)]


def _at_most_ms(work: str, value: float, most: float, peer: float) -> Figure:
    return at_most(work, value, "ms", most, ratio=value / peer, ratio_to=f"of {CELERY}")


def _on_our_loop(measure: Coroutine[Any, Any, T]) -> T:
    """The one that the server runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure)


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)
