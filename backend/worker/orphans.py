"""What the jobs of a killed server forked: nobody else ends it, for the kernel ended those alone that had forked it."""

import contextlib

import psutil
from loguru import logger

# In the environment of every child, and so of whatever its jobs start. No two runners have the same id.
RUNNER_NAME = "TIDEMARK_RUNNER"


def end_orphans(runner_id: str) -> int:
    """End every process that comes of this runner, which is gone; how many there were."""
    count = 0
    for process in psutil.process_iter():
        # Not ours to look into, or not there any more.
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUNNER_NAME) == runner_id:
                process.kill()
                count += 1
    if count:
        logger.warning("Processes that jobs of the server before this one had left: {}. They were ended.", count)
    return count
