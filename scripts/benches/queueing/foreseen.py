"""How near the time that a job takes comes to what was foreseen for it."""

import random
from statistics import median

from backend.domain.jobs import JobKind
from scripts.benches.queueing.ours import SMALL, Queue

_LEARNED, _ASKED = 20, 30


async def missed_by_percent(queue: Queue) -> float:
    """Of jobs whose sizes differ by ten times, once twenty have run: the median, in percent of what they took."""
    who, foresight, chance = queue.users[0], queue.house.foresight, random.Random(7)  # noqa: S311 - no secret
    missed = []
    for number in range(_LEARNED + _ASKED):
        steps = round(3 * 10 ** chance.random())
        expected = foresight.forecasts.expected(JobKind.TRAIN, float(steps))
        async with queue.house.acting_as(who) as services:
            job = await services.jobs.submit(JobKind.TRAIN, {"steps": steps}, demand=SMALL, work_units=float(steps))
        ended = await queue.ended(who, job.id)
        if ended.started_at is None or ended.finished_at is None:
            raise AssertionError(f"the job is {ended.state}, and has not run")
        if number >= _LEARNED and expected is not None:
            took = (ended.finished_at - ended.started_at).total_seconds()
            missed.append(100 * abs(expected - took) / took)
        await foresight.look()
    return median(missed)
