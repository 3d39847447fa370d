"""The peer's own task, as its worker process imports it. Redis keeps nothing safe here: it is not asked to."""

import os
import time

from celery import Celery
from redis import Redis

app = Celery("peer", broker=f"redis+socket://{os.environ['BENCH_REDIS']}")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_send_task_events=False)
redis = Redis(unix_socket_path=os.environ["BENCH_REDIS"])


def start() -> None:
    """Say when it began, by which the sender also knows that it ran."""
    redis.rpush("begun", repr(time.monotonic()))


start_task = app.task(start, name="start")
