"""Predictions through the API of a served Tidemark: some that train a model first, and warm ones, each written anew."""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import uvloop

from backend.infrastructure.supabase.auth_keys import AuthKeys
from scripts.benches.api import token_of
from scripts.benches.figures import Figure, at_most, percentile
from tests.serving import Running, data_folder, serving

TIMES: Final = 200
MOST_WARM_MS: Final = 25
MOST_TRAINED_SECONDS: Final = 3.0
WARM: Final = "warm prediction through the API, written each time"
TRAINED: Final = "prediction through the API that trains first, two years of hourly bars"
# What a server and its worker processes load once they are idle.
_SETTLE_SECONDS: Final = 12.0
_ASKED: Final[dict[str, Any]] = {
    "series": {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"},
    "horizon": 12,
}


def asking_figures() -> Sequence[Figure]:
    with data_folder() as folder, serving(folder, TIDEMARK_RATE_LIMITS="off") as running:
        return uvloop.run(_measured(running))


async def _measured(running: Running) -> list[Figure]:
    user = uuid4()
    keys = AuthKeys.load_or_create(Path(running.data_dir) / "secrets" / "auth.json")
    owner = await asyncpg.connect(running.status["DB_URL"])
    await owner.execute(
        "insert into auth.users (id, email, aud, role, is_anonymous)"
        " values ($1, 'bench@example.com', 'authenticated', 'authenticated', false)",
        user,
    )
    headers = {"Authorization": f"Bearer {token_of(keys, running.url, user)}"}
    await asyncio.sleep(_SETTLE_SECONDS)
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
        trained = [await _trained(client, horizon) for horizon in (11, 13, 12)]
        # Each is to be written as if it were the first; time cannot be made to pass.
        await owner.execute("alter table public.predictions disable trigger predictions_keep")
        warm = [await _warm(client, owner) for _ in range(TIMES)][10:]
    await owner.close()
    print(f"  {TRAINED}: {', '.join(f'{one:.2f}' for one in trained)} s", file=sys.stderr)
    return [
        at_most(TRAINED, statistics.median(trained), "s", MOST_TRAINED_SECONDS),
        Figure(work=f"{WARM}, median", engine="tidemark", value=percentile(warm, 0.5), unit="ms"),
        at_most(f"{WARM}, p95", percentile(warm, 0.95), "ms", MOST_WARM_MS),
    ]


async def _trained(client: httpx.AsyncClient, horizon: int) -> float:
    """Until the prediction can be read, in seconds."""
    began = time.perf_counter()
    answer = await client.post("/api/predictions", json={**_ASKED, "horizon": horizon})
    if answer.status_code != 202:
        raise RuntimeError(f"a question without a champion answered {answer.status_code}: {answer.text}")
    task = answer.headers["location"]
    while (state := (await client.get(task)).json())["state"] in {"queued", "running"}:
        await asyncio.sleep(0.01)
    if state["result"] is None or state["result"]["prediction_id"] is None:
        raise RuntimeError(f"the training ended as {state}")
    return time.perf_counter() - began


async def _warm(client: httpx.AsyncClient, owner: "asyncpg.Connection[asyncpg.Record]") -> float:
    """In milliseconds."""
    await owner.execute("delete from public.predictions")
    began = time.perf_counter()
    answer = await client.post("/api/predictions", json=_ASKED)
    took = (time.perf_counter() - began) * 1e3
    if answer.status_code != 200:
        raise RuntimeError(f"a warm prediction answered {answer.status_code}: {answer.text}")
    return took
