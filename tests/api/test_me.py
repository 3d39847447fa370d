"""One's own profile over HTTP: reading, changing, versions, and what is refused."""

import asyncio

import httpx
import pytest

from tests.api.conftest import Person, Site, assert_problem


async def test_profile_is_made_with_the_account(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.get("/api/me", headers=ada.headers)
    assert answer.status_code == 200
    body = answer.json()
    assert body["user_id"] == str(ada.user_id)
    assert body["email"] == ada.email
    assert body["preferences"] == {
        "theme": "system",
        "palette": "default",
        "density": "comfortable",
        "timezone": "UTC",
        "single_key_shortcuts": True,
    }
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["etag"].startswith(f'"{body["version"]}.')


async def test_missing_profile_is_made_up_for(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await site.execute("delete from public.profiles where user_id = $1", ada.user_id, role="postgres")
    assert (await client.get("/api/me", headers=ada.headers)).json()["user_id"] == str(ada.user_id)


async def test_a_read_with_the_current_etag_is_not_sent_again(client: httpx.AsyncClient, ada: Person) -> None:
    etag = (await client.get("/api/me", headers=ada.headers)).headers["etag"]
    for held in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = await client.get("/api/me", headers={**ada.headers, "If-None-Match": held})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    answer = await client.get("/api/me", headers={**ada.headers, "If-None-Match": '"other"'})
    assert answer.status_code == 200


async def test_change_keeps_what_is_not_named(client: httpx.AsyncClient, ada: Person) -> None:
    read = await client.get("/api/me", headers=ada.headers)
    change = {"display_name": "  Ada   Lovelace ", "preferences": {"theme": "dark", "timezone": "Europe/London"}}
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": read.headers["etag"]}, json=change)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["display_name"] == "Ada Lovelace"
    assert body["preferences"] == {**read.json()["preferences"], "theme": "dark", "timezone": "Europe/London"}
    assert body["version"] == read.json()["version"] + 1
    assert answer.headers["etag"] != read.headers["etag"]
    again = await client.get("/api/me", headers=ada.headers)
    assert (again.json(), again.headers["etag"]) == (body, answer.headers["etag"])


async def test_change_without_a_version_is_refused(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.patch("/api/me", headers=ada.headers, json={"display_name": "A"})
    assert_problem(answer, 428, "version_required")


@pytest.mark.parametrize(
    "stale", ['"99.0123456789abcdef"', '"nonsense"', "nonsense", '"999999999999.0123456789abcdef"', ""]
)
async def test_change_of_another_version_is_refused(client: httpx.AsyncClient, ada: Person, stale: str) -> None:
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": stale}, json={"display_name": "A"})
    assert_problem(answer, 412, "version_conflict")


async def test_weak_etag_is_not_good_for_a_change(client: httpx.AsyncClient, ada: Person) -> None:
    etag = (await client.get("/api/me", headers=ada.headers)).headers["etag"]
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": f"W/{etag}"}, json={"display_name": "A"})
    assert_problem(answer, 412, "version_conflict")


async def test_any_version_will_do_when_asked_so(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": "*"}, json={"display_name": "A"})
    assert answer.status_code == 200


async def test_of_many_changes_at_once_one_wins(client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "If-Match": (await client.get("/api/me", headers=ada.headers)).headers["etag"]}
    answers = await asyncio.gather(
        *(client.patch("/api/me", headers=headers, json={"display_name": f"Ada {number}"}) for number in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"display_name": ""}, "/display_name"),
        ({"display_name": "   "}, "/display_name"),
        ({"display_name": "x" * 81}, "/display_name"),
        ({"display_name": None}, "/display_name"),
        ({"display_name": 7}, "/display_name"),
        ({"display_name": "a\x00b"}, "/display_name"),
        ({"display_name": "a\x1bb"}, "/display_name"),
        ({"display_name": "\u202egpj.exe"}, "/display_name"),
        ({"preferences": {"theme": "pink"}}, "/preferences/theme"),
        ({"preferences": {"theme": None}}, "/preferences/theme"),
        ({"preferences": {"timezone": "Mars/Olympus"}}, "/preferences/timezone"),
        ({"preferences": {"timezone": "../../etc/passwd"}}, "/preferences/timezone"),
        ({"preferences": {"single_key_shortcuts": "yes"}}, "/preferences/single_key_shortcuts"),
        ({"preferences": {"a/b~c": 1}}, "/preferences/a~1b~0c"),
        ({"preferences": []}, "/preferences"),
        ({"preferences": {}}, "/preferences"),
        ({"is_admin": True}, "/is_admin"),
        ({"user_id": "x"}, "/user_id"),
        ({}, ""),
        ([], ""),
        (None, ""),
        ("text", ""),
    ],
)
async def test_bad_change_names_its_culprit(
    client: httpx.AsyncClient, ada: Person, change: object, pointer: str
) -> None:
    before = (await client.get("/api/me", headers=ada.headers)).json()
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": "*"}, json=change)
    body = assert_problem(answer, 422, "invalid_input")
    assert pointer in [error["pointer"] for error in body["errors"]]
    assert (await client.get("/api/me", headers=ada.headers)).json() == before


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[" * 100_000, b'{"display_name": "\xc3("}', b'{"a": 1}}', b"{'a': 1}"],
    ids=["cut", "bytes", "deep", "utf8", "trailing", "quotes"],
)
async def test_what_is_not_json_is_malformed(client: httpx.AsyncClient, ada: Person, body: bytes) -> None:
    headers = {**ada.headers, "If-Match": "*", "Content-Type": "application/json"}
    assert_problem(await client.patch("/api/me", headers=headers, content=body), 400, "malformed_body")


@pytest.mark.parametrize(
    "body", [b'{"display_name": "\\ud800"}', b'{"display_name": NaN}', b'{"display_name": "\\u0000"}']
)
async def test_what_json_allows_and_text_does_not_is_refused(
    client: httpx.AsyncClient, ada: Person, body: bytes
) -> None:
    headers = {**ada.headers, "If-Match": "*", "Content-Type": "application/json"}
    assert_problem(await client.patch("/api/me", headers=headers, content=body), 422, "invalid_input")


@pytest.mark.parametrize("inside", [False, True])
async def test_a_crowd_of_unknown_names_is_one_error(client: httpx.AsyncClient, ada: Person, inside: bool) -> None:
    """Told one by one, a body full of them keeps the process busy for longer than all other requests together."""
    crowd = {f"k{number}": 1 for number in range(20_000)}
    body = {"preferences": crowd} if inside else crowd
    answer = await client.patch("/api/me", headers={**ada.headers, "If-Match": "*"}, json=body)
    assert_problem(answer, 422, "invalid_input")
    assert answer.json()["errors"] == [
        {"pointer": "/preferences" if inside else "", "detail": "Name at most 50 things."}
    ]


async def test_body_that_does_not_say_it_is_json_is_refused(client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "If-Match": "*", "Content-Type": "text/plain"}
    answer = await client.patch("/api/me", headers=headers, content=b'{"display_name": "A"}')
    assert_problem(answer, 422, "invalid_input")


async def test_nobody_sees_or_changes_another_ones_profile(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    eve = await site.person(user_metadata={"role": "admin", "is_admin": True})
    await client.patch("/api/me", headers={**eve.headers, "If-Match": "*"}, json={"display_name": "Eve"})
    assert (await client.get("/api/me", headers=ada.headers)).json()["display_name"] != "Eve"
    assert (await client.get("/api/me", headers=eve.headers)).json()["is_admin"] is False


async def test_an_administrator_is_who_the_account_says_and_not_the_token(
    client: httpx.AsyncClient, site: Site
) -> None:
    admin, eve = await site.administrator(), await site.person(app_metadata={"role": "admin"})
    assert (await client.get("/api/me", headers=admin.headers)).json()["is_admin"] is True
    assert (await client.get("/api/me", headers=eve.headers)).json()["is_admin"] is False
