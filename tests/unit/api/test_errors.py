"""How mistakes in the input are told."""

import httpx
from fastapi import FastAPI

from backend.api.errors import answer_errors


async def test_countless_mistakes_are_not_all_repeated() -> None:
    app = FastAPI()
    answer_errors(app, [])

    @app.post("/numbers")
    async def take(numbers: list[int]) -> None:
        pass

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.post("/numbers", json=["x"] * 500)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{place}" for place in range(100)]
