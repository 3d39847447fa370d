"""Files of bars over HTTP: uploaded, previewed, imported by a real worker, exported, and nobody else's."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.api.routers.market_files import UPLOAD_PATH
from backend.bootstrap_market import desk_environment
from backend.data.storage.quotas import FolderQuotas
from backend.data.storage.uploads import StagedUploads
from backend.domain.jobs import JobKind
from backend.domain.market_errors import BadBars, DataTooLarge
from backend.domain.market_ports import LARGEST_UPLOAD_BYTES
from backend.worker.importing import run
from tests.api.conftest import Person, Site, assert_problem

HEADER = "Date,Open,High,Low,Close,Volume\n"
DAYS = "".join(f"2025-01-{day:02},10{day}.5,110{day},9{day}.25,10{day}.75,{day}000\n" for day in range(10, 29))
GOOD = (HEADER + DAYS).encode()


async def upload(client: httpx.AsyncClient, who: Person, content: bytes, name: str = "my fund.csv") -> str:
    answer = await client.post(UPLOAD_PATH, params={"name": name}, content=content, headers=who.headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["size_bytes"] == len(content)
    upload_id: str = answer.json()["upload_id"]
    return upload_id


async def preview(client: httpx.AsyncClient, who: Person, upload_id: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/data/import/preview", json={"upload_id": upload_id, **more}, headers=who.headers)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def ask_import(client: httpx.AsyncClient, who: Person, upload_id: str, **more: Any) -> httpx.Response:
    shown = await preview(client, who, upload_id)
    wanted = {
        "upload_id": upload_id,
        "symbol": "MYFUND",
        "timeframe": shown["timeframe"],
        "reading": shown["reading"],
        **more,
    }
    return await client.post("/api/data/import", json=wanted, headers=who.headers)


async def do(site: Site, who: Person, task_id: str, **more: str) -> dict[str, Any]:
    """What a child does with this job, in this process."""
    identity = await site.house.verifier.verify(who.token)
    async with site.house.acting_as(identity) as services:
        job = await services.jobs.job(UUID(task_id))
    assert job.kind is JobKind.IMPORT
    payload = {**job.payload, "user_id": str(job.user_id)}
    with told_as_a_child(site, **more):
        return await asyncio.to_thread(run, payload, lambda *_, **__: None, lambda: False)


@contextmanager
def told_as_a_child(site: Site, **more: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**desk_environment(site.house.settings), **more}.items():
            patch.setenv(name, value)
        yield


async def imported(site: Site, client: httpx.AsyncClient, who: Person, content: bytes, **more: Any) -> str:
    answer = await ask_import(client, who, await upload(client, who, content), **more)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/system/tasks/{answer.json()['task_id']}"
    await do(site, who, answer.json()["task_id"])
    series_id: str = answer.json()["series_id"]
    return series_id


async def test_a_file_becomes_a_series_and_comes_back(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    upload_id = await upload(client, ada, GOOD)
    shown = await preview(client, ada, upload_id)
    assert (shown["name"], shown["timeframe"], shown["rows"], shown["bad_count"]) == ("my fund.csv", "1d", 19, 0)
    assert shown["is_whole"]
    assert shown["text"][0][:2] == ["2025-01-10", "1010.5"]
    assert shown["bars"][0]["ts"] == "2025-01-10T00:00:00Z"
    assert "no zone" in " ".join(shown["reading"]["notes"])
    series_id = await imported(site, client, ada, GOOD)
    found = (await client.get(f"/api/data/series/{series_id}", headers=ada.headers)).json()
    assert (found["is_own"], found["provider"], found["stored"]["rows"]) == (True, "import", 19)
    bars = (await client.get("/api/data/bars", params={"series_id": series_id}, headers=ada.headers)).json()
    assert bars["open"][0] == 1010.5


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_an_export_imports_to_the_same_bits(
    site: Site, client: httpx.AsyncClient, ada: Person, kind: str
) -> None:
    dice = np.random.default_rng(7)
    close = np.exp(dice.normal(0, 0.1, 500).cumsum())
    rows = pd.DataFrame({"ts": pd.date_range("2024-01-01", periods=500, freq="h", tz="UTC"), "open": close})
    rows["high"], rows["low"], rows["close"] = close * 1.01, close / 1.01, close
    rows["volume"] = dice.random(500) * 1e-7
    first = await imported(site, client, ada, rows.to_csv(index=False).encode(), symbol="RANDOM")
    answer = await client.get("/api/data/export", params={"series_id": first, "format": kind}, headers=ada.headers)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="import-RANDOM-1h.{kind}"'
    again = await imported(site, client, ada, answer.content, symbol=f"AGAIN-{kind}")
    hashes = [
        (await client.get(f"/api/data/series/{one}", headers=ada.headers)).json()["stored"]["content_hash"]
        for one in (first, again)
    ]
    assert hashes[0] == hashes[1]


async def test_a_file_whose_columns_say_nothing_is_shown_for_a_person_to_map(
    site: Site, client: httpx.AsyncClient, ada: Person
) -> None:
    upload_id = await upload(client, ada, ("when,a,High,Low,b,x\n" + DAYS).encode())
    shown = await preview(client, ada, upload_id)
    assert shown["columns"] == ["when", "a", "High", "Low", "b", "x"]
    assert shown["reading"]["columns"] == {"high": "High", "low": "Low"}
    assert (shown["reading"]["time"], shown["timeframe"], shown["bars"]) == ("", None, [])
    assert "No column was recognised as time, open, close" in shown["reading"]["notes"][0]
    reading = {"columns": {"open": "a", "high": "High", "low": "Low", "close": "b"}, "time": "when"}
    mapped = await preview(client, ada, upload_id, reading=reading)
    assert (mapped["timeframe"], mapped["rows"], mapped["bad_count"]) == ("1d", 19, 0)
    assert mapped["bars"][0]["open"] == 1010.5


async def test_bad_rows_are_named_by_their_lines(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    lines = (HEADER + DAYS).splitlines()
    lines[3] = "2025-01-12,1,2"  # broken, in line 4
    lines[5] = "2025-01-14,5,4,3,2,1"  # its open lies above its high, in line 6
    shown = await preview(client, ada, await upload(client, ada, "\n".join(lines).encode()))
    assert [(one["line"], one["reason"].split()[0]) for one in shown["bad"]] == [(4, "it"), (6, "its")]


async def test_what_one_brings_is_nobody_elses(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    eve = await site.person()
    upload_id = await upload(client, ada, GOOD)
    answer = await client.post("/api/data/import/preview", json={"upload_id": upload_id}, headers=eve.headers)
    assert_problem(answer, 404, "unknown_upload")
    wanted = {"upload_id": upload_id, "symbol": "X", "timeframe": "1d", "reading": READING}
    assert_problem(await client.post("/api/data/import", json=wanted, headers=eve.headers), 404, "unknown_upload")
    series_id = await imported(site, client, ada, GOOD, symbol="SECRET")
    for path in ("/api/data/bars", "/api/data/coverage", "/api/data/export"):
        asked = await client.get(path, params={"series_id": series_id}, headers=eve.headers)
        assert_problem(asked, 404, "unknown_series")
    assert_problem(await client.get(f"/api/data/series/{series_id}", headers=eve.headers), 404, "unknown_series")
    assert_problem(await client.delete(f"/api/data/series/{series_id}", headers=eve.headers), 404, "unknown_series")
    asked = await client.post("/api/data/repair", json={"series_id": series_id}, headers=eve.headers)
    assert_problem(asked, 404, "unknown_series")
    listed = (await client.get("/api/data/series", params={"search": "SECRET"}, headers=eve.headers)).json()
    assert listed["items"] == []
    places = [path for path in site.house.market.cache_dir.rglob("manifest.json") if "SECRET" in str(path)]
    assert [str(ada.user_id) in path.parts for path in places] == [True]


async def test_the_owner_is_told_by_the_row_of_the_job_not_by_its_payload(
    site: Site, client: httpx.AsyncClient, ada: Person
) -> None:
    eve = await site.person()
    answer = await ask_import(client, eve, await upload(client, eve, GOOD), symbol="MINE")
    identity = await site.house.verifier.verify(eve.token)
    async with site.house.acting_as(identity) as services:
        job = await services.jobs.job(UUID(answer.json()["task_id"]))
    forged = {**job.payload, "series": {**job.payload["series"], "owner": str(ada.user_id)}}
    with told_as_a_child(site):
        await asyncio.to_thread(run, {**forged, "user_id": str(eve.user_id)}, lambda *_, **__: None, lambda: False)
    assert not list((site.house.market.cache_dir / "bars" / "private").glob(f"{ada.user_id}/*/MINE"))
    assert list((site.house.market.cache_dir / "bars" / "private").glob(f"{eve.user_id}/*/MINE"))


READING = {"columns": dict.fromkeys(("open", "high", "low", "close"), "Open"), "time": "Date"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"symbol": "../../shared"}, "/symbol"),
        ({"symbol": "A B"}, "/symbol"),
        ({"symbol": "x" * 41}, "/symbol"),
        ({"timeframe": "7m"}, "/timeframe"),
        ({"calendar": "XNOPE"}, "/calendar"),
        ({"currency": "usd;"}, "/currency"),
        ({"reading": {**READING, "time": "Nope"}}, "/reading/time"),
        ({"reading": {**READING, "zone": "Mars/Olympus"}}, "/reading/zone"),
        ({"reading": {**READING, "zone": "../../etc/passwd"}}, "/reading/zone"),
        ({"reading": {**READING, "decimal": ";"}}, "/reading/decimal"),
        ({"reading": {"columns": {"open": "Open"}, "time": "Date"}}, "/reading/columns/high"),
    ],
)
async def test_wrong_wishes_are_pointed_at(
    client: httpx.AsyncClient, ada: Person, change: dict[str, Any], pointer: str
) -> None:
    wanted = {
        "upload_id": await upload(client, ada, GOOD),
        "symbol": "MYFUND",
        "timeframe": "1d",
        "reading": READING,
        **change,
    }
    body = assert_problem(await client.post("/api/data/import", json=wanted, headers=ada.headers), 422, "invalid_input")
    assert pointer in [one["pointer"] for one in body["errors"]]


async def test_bad_rows_refuse_the_file_unless_they_are_accepted(
    site: Site, client: httpx.AsyncClient, ada: Person
) -> None:
    content = GOOD + b"2025-01-30,100,90,80,95,1\n2025-01-31,100,x,80,95,1\n"
    shown = await preview(client, ada, await upload(client, ada, content))
    assert [one["row"] for one in shown["bad"]] == [19, 20]
    assert "high is below" in shown["bad"][0]["reason"]
    answer = await ask_import(client, ada, await upload(client, ada, content), symbol="STRICT")
    with pytest.raises(Exception, match="2 of 21 rows are no bars"):
        await do(site, ada, answer.json()["task_id"])
    found = (await client.get(f"/api/data/series/{answer.json()['series_id']}", headers=ada.headers)).json()
    assert found["stored"] is None
    series_id = await imported(site, client, ada, content, symbol="LENIENT", accept_bad_rows=True)
    found = (await client.get(f"/api/data/series/{series_id}", headers=ada.headers)).json()
    assert found["stored"]["rows"] == 19


async def test_the_log_of_a_refused_import_names_twenty_bad_rows(
    site: Site, client: httpx.AsyncClient, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    content = GOOD + b"2025-01-30,100,90,80,95,1\n" * 25
    answer = await ask_import(client, ada, await upload(client, ada, content), symbol="STRICT")
    with pytest.raises(BadBars) as told:
        await do(site, ada, answer.json()["task_id"])
    assert "The log of this task names the first 20. Nothing was stored: correct them, or" in told.value.detail
    said = capsys.readouterr().out
    assert [line for line in range(1, 60) if f"  line {line} (" in said] == list(range(21, 41))
    assert "and 5 more" in said


async def test_an_own_series_can_be_deleted_with_its_bars(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    series_id = await imported(site, client, ada, GOOD, symbol="GOING")
    answer = await client.delete(f"/api/data/series/{series_id}", headers=ada.headers)
    assert answer.status_code == 204
    assert_problem(await client.get(f"/api/data/series/{series_id}", headers=ada.headers), 404, "unknown_series")
    assert not [path for path in site.house.market.cache_dir.rglob("manifest.json") if "GOING" in str(path)]


async def test_an_import_that_was_done_before_it_was_cut_is_done(
    site: Site, client: httpx.AsyncClient, ada: Person
) -> None:
    answer = await ask_import(client, ada, await upload(client, ada, GOOD), symbol="TWICE")
    first = await do(site, ada, answer.json()["task_id"])
    assert await do(site, ada, answer.json()["task_id"]) == first


async def test_bombs_are_refused(site: Site, client: httpx.AsyncClient, ada: Person, tmp_path: Path) -> None:
    wide = ",".join(f"c{n}" for n in range(5_000)) + "\n" + ",".join(["1"] * 5_000) + "\n"
    deep = "a" * 3_000_000
    columns = {name: pa.array(np.zeros(1)) for name in ("open", "high", "low", "close", *map(str, range(100)))}
    pq.write_table(pa.table(columns), tmp_path / "wide.parquet")
    for content, status, code, said in (
        (wide.encode(), 413, "data_too_large", "5,000 columns"),
        (deep.encode(), 422, "bad_file", ""),
        ((tmp_path / "wide.parquet").read_bytes(), 413, "data_too_large", "104 columns"),
        (b"PAR1" + os.urandom(4000), 422, "bad_file", ""),
        (os.urandom(4000), 422, "bad_file", ""),
    ):
        upload_id = await upload(client, ada, content)
        answer = await client.post("/api/data/import/preview", json={"upload_id": upload_id}, headers=ada.headers)
        assert said in assert_problem(answer, status, code)["detail"]
    assert_problem(await client.post(UPLOAD_PATH, params={"name": "x"}, headers=ada.headers), 422, "bad_file")


async def test_this_path_alone_takes_more_than_a_mebibyte(client: httpx.AsyncClient, ada: Person) -> None:
    large = GOOD + b"#" * 3_000_000
    await upload(client, ada, large)
    assert_problem(
        await client.post("/api/data/import/preview", content=large, headers=ada.headers), 413, "body_too_large"
    )
    announced = {**ada.headers, "Content-Length": str(LARGEST_UPLOAD_BYTES + 1)}
    answer = await client.post(UPLOAD_PATH, params={"name": "x"}, content=b"x", headers=announced)
    assert_problem(answer, 413, "body_too_large")


@asynccontextmanager
async def small_uploads(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    uploads = StagedUploads(site.house.market.cache_dir, site.house.clock, largest=2_000, most_staged=3_000)
    async with site.client(market=replace(site.house.market, uploads=uploads)) as client:
        yield client


async def test_nobody_fills_the_disk_with_uploads(site: Site, ada: Person) -> None:
    async with small_uploads(site) as client:
        refused = await client.post(UPLOAD_PATH, params={"name": "x"}, content=b"x" * 2001, headers=ada.headers)
        assert_problem(refused, 413, "data_too_large")
        await upload(client, ada, b"x" * 2_000)
        refused = await client.post(UPLOAD_PATH, params={"name": "x"}, content=b"x" * 1001, headers=ada.headers)
        assert_problem(refused, 413, "data_too_large")
        await upload(client, ada, b"x" * 1_000)
        refused = await client.post(UPLOAD_PATH, params={"name": "x"}, content=b"x", headers=ada.headers)
        assert_problem(refused, 413, "data_too_large")
        await upload(client, await site.person(), b"x" * 1_000)
    assert not list(site.house.market.cache_dir.glob(f"uploads/{ada.user_id}/*.new"))


async def test_what_one_keeps_has_a_quota(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    await imported(site, client, ada, GOOD)
    cache = site.house.market.cache_dir
    used = FolderQuotas(cache, 0).share(ada.user_id).used_bytes
    assert used > 0
    market = replace(site.house.market, quotas=FolderQuotas(cache, used + len(GOOD)))
    async with site.client(market=market) as tight:
        refused = await tight.post(UPLOAD_PATH, params={"name": "x"}, content=GOOD + b"x", headers=ada.headers)
        detail = assert_problem(refused, 413, "data_too_large")["detail"]
        assert "of your" in detail
        assert "by imported series" in detail

        async def unannounced() -> AsyncIterator[bytes]:
            yield GOOD + b"x"

        refused = await tight.post(UPLOAD_PATH, params={"name": "x"}, content=unannounced(), headers=ada.headers)
        assert_problem(refused, 413, "data_too_large")
        assert FolderQuotas(cache, 0).share(ada.user_id).used_bytes == used, "nothing is left of what was refused"
        await upload(tight, await site.person(), GOOD)


async def test_an_import_beyond_the_quota_stores_nothing(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    answer = await ask_import(client, ada, await upload(client, ada, GOOD), symbol="TOO-MUCH")
    with pytest.raises(DataTooLarge, match=r"[\d,]+ B of your 200 B"):
        await do(site, ada, answer.json()["task_id"], TIDEMARK_USER_DISK_BYTES="200")
    found = (await client.get(f"/api/data/series/{answer.json()['series_id']}", headers=ada.headers)).json()
    assert found["stored"] is None


async def test_uploads_go_after_a_day(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    old, new = await upload(client, ada, GOOD), await upload(client, ada, GOOD)
    folder = site.house.market.cache_dir / "uploads" / str(ada.user_id)
    os.utime(folder / old, (0, 0))
    assert site.house.market.uploads.forget_old() >= 1
    assert [one.name for one in folder.iterdir()] == [new]


async def test_an_unknown_upload_is_unknown(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.post("/api/data/import/preview", json={"upload_id": str(uuid4())}, headers=ada.headers)
    assert_problem(answer, 404, "unknown_upload")


def bomb() -> bytes:
    """A small Parquet file whose first rows unpack to two gigabytes."""
    rows = 20_000
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["9" * 100_000]))
    table = pa.table({"ts": long, **dict.fromkeys(("open", "high", "low", "close"), long)})
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd", store_schema=False)
    return file.getvalue()


async def test_a_file_that_explodes_does_so_elsewhere(client: httpx.AsyncClient, ada: Person) -> None:
    content = bomb()
    assert len(content) < 1_000_000
    upload_id = await upload(client, ada, content, "innocent.parquet")
    before = psutil.Process().memory_info().rss
    asked = {"upload_id": upload_id}
    answer, health = await asyncio.gather(
        client.post("/api/data/import/preview", json=asked, headers=ada.headers), client.get("/healthz")
    )
    assert_problem(answer, 422, "bad_file")
    assert health.status_code == 200
    assert psutil.Process().memory_info().rss - before < 300 * 1024**2
    assert (await preview(client, ada, await upload(client, ada, GOOD)))["rows"] == 19, "the next one is looked at"


def named_zones(rows: int) -> str:
    """Each row one minute later, with a name of its own for the same zone."""
    starts = pd.date_range("2025-01-01", periods=rows, freq="min").strftime("%Y-%m-%d %H:%M:%S")
    return "".join(f"{start}+01:00[{row}],10,11,9,10,1\n" for row, start in enumerate(starts))


@pytest.mark.parametrize(
    ("content", "rows", "bad"),
    [
        pytest.param(f"1{' ' * 60_000}x,{HEADER}" + DAYS.replace("2025", "0,2025"), 19, 0, id="a long name"),
        pytest.param(f"{HEADER}{DAYS}1{' ' * 500_000}x,10,11,9,10,1\n", 20, 1, id="a long time"),
        pytest.param(f"{HEADER}{DAYS * 200}2025-02-01,{'9' * 500_000},11,9,10,1\n", 3_801, 3_782, id="a long number"),
        pytest.param(f"{HEADER}{named_zones(19_000)}", 19_000, 0, id="many names of one zone"),
    ],
)
async def test_no_text_takes_more_than_its_length(
    client: httpx.AsyncClient, ada: Person, content: str, rows: int, bad: int
) -> None:
    """What looks at a file has 20 s and 1 GiB; with the square of a length it would end without an answer."""
    shown = await preview(client, ada, await upload(client, ada, content.encode()))
    assert (shown["rows"], shown["bad_count"]) == (rows, bad)


async def test_many_look_at_once(client: httpx.AsyncClient, ada: Person) -> None:
    upload_id = await upload(client, ada, GOOD)
    looks = await asyncio.gather(*(preview(client, ada, upload_id) for _ in range(5)))
    assert [one["rows"] for one in looks] == [19] * 5
