"""A real server is killed under its streams: the next one goes on where they were."""

import signal
from uuid import uuid4

import asyncpg
import httpx

from tests.api.served import listening
from tests.serving import Running, data_folder, serving, start

# Tokens name the installation, which here changes its port.
SETTINGS = {"TIDEMARK_PUBLIC_URL": "http://tidemark.localhost", "TIDEMARK_RATE_LIMITS": "off"}


async def test_stream_goes_on_after_the_server_was_killed() -> None:
    with data_folder() as folder:
        killed = start(folder, **SETTINGS)
        user_id, headers = _sign_up(killed)
        async with listening(killed.url, headers) as listener:
            await listener.next()
            await _add_tasks(killed, user_id, 3)
            heard = [(await listener.event()).id for _ in range(2)]
            killed.stop(signal.SIGKILL)
        with serving(folder, **SETTINGS) as running:
            await _add_tasks(running, user_id, 3)
            async with listening(running.url, headers, after=heard[-1]) as listener:
                # Jobs of a kind that cannot run yet end by themselves, so there are at least these.
                while len(heard) < 6:
                    told = await listener.event()
                    heard += [] if told.id is None else [told.id]
    assert heard == list(range(1, len(heard) + 1))


def _sign_up(running: Running) -> tuple[str, dict[str, str]]:
    answer = httpx.post(
        f"{running.url}/auth/v1/signup",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"email": f"{uuid4()}@example.com", "password": "a-long-password-7Qx"},
    ).json()
    return answer["user"]["id"], {"Authorization": f"Bearer {answer['access_token']}"}


async def _add_tasks(running: Running, user_id: str, count: int) -> None:
    connection = await asyncpg.connect(running.status["DB_URL"])
    for _ in range(count):
        await connection.execute(
            "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " values ($1, 'sweep', '{}', 1, 1, 3, 60)",
            user_id,
        )
    await connection.close()
