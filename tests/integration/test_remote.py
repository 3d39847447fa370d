"""What commands against a server make of its answers: a server that says what a test wants, over a real socket."""

import json
import subprocess
from pathlib import Path

import pytest

from backend.cli import remote as cli
from backend.cli import task_events
from backend.cli.failures import CommandFailed, ExitCode
from backend.cli.login import warn_of_plain_http
from backend.cli.remote import Remote
from backend.cli.supabase_auth import SupabaseAuth
from backend.cli.task_events import TaskEvents
from tests.integration.scripted_server import Answer, own_certificate, page, said, scripted
from tests.serving import tidemark

TASKS = "/api/system/tasks"


@pytest.fixture(autouse=True)
def _signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEMARK_TOKEN", "a-token")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def ask(url: str) -> CommandFailed:
    with cli.remote(url) as there, pytest.raises(CommandFailed) as failed:
        there.read(TASKS)
    return failed.value


HTML = (502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")


@pytest.mark.parametrize(
    ("answer", "exit_code", "is_passing", "words"),
    [
        (said(401, "token_rejected"), ExitCode.CREDENTIALS, False, "Set TIDEMARK_TOKEN"),
        (said(403, "account_suspended"), ExitCode.CREDENTIALS, False, "So it is."),
        (said(404, "job_not_found"), ExitCode.DATA_MISSING, False, "`tidemark tasks list`"),
        (said(409, "job_not_retryable"), ExitCode.FAILURE, False, "So it is."),
        (said(429, "rate_limited", wait=12), ExitCode.FAILURE, True, "Try again in 12 s."),
        (said(429, "quota_reached"), ExitCode.FAILURE, False, "So it is."),
        (said(500, "internal_error"), ExitCode.FAILURE, True, "request r-1"),
        (said(503, "database_unavailable", wait=2), ExitCode.FAILURE, True, "Try again in 2 s."),
        (
            said(422, "invalid_input", errors=[{"pointer": f"/query/{n}", "detail": "Bad."} for n in "ab"]),
            ExitCode.FAILURE,
            False,
            "/query/a: Bad.\n/query/b: Bad.",
        ),
        (HTML, ExitCode.FAILURE, True, "answered 502 Bad Gateway"),
        ((429, {"Retry-After": "7"}, b"slow down"), ExitCode.FAILURE, True, "Try again in 7 s."),
        ((301, {"Location": "https://elsewhere.example.com/"}, b""), ExitCode.CREDENTIALS, False, "--server"),
        ((404, {}, b"no such file"), ExitCode.CREDENTIALS, False, "is not a Tidemark"),
        ((200, {"Content-Type": "text/html"}, b"<h1>Hello</h1>"), ExitCode.CREDENTIALS, False, "is not a Tidemark"),
        ((200, {"Content-Type": "application/json"}, b"[1]"), ExitCode.CREDENTIALS, False, "is not a Tidemark"),
        ((0, {}, b""), ExitCode.FAILURE, True, "The connection broke off"),
    ],
)
def test_every_answer_is_a_clear_sentence_with_an_exit_code(
    answer: Answer, exit_code: ExitCode, is_passing: bool, words: str
) -> None:
    with scripted(answer) as (url, _):
        failed = ask(url)
    assert (failed.exit_code, failed.is_passing) == (exit_code, is_passing)
    assert words in failed.words
    assert f"(code: {failed.code}" in failed.words
    if b'"code"' in answer[2]:
        assert failed.code == json.loads(answer[2])["code"]


def test_the_request_says_who_and_what_asks() -> None:
    with scripted(page()) as (url, script), cli.remote(url) as there:
        there.read(TASKS, {"state": ["queued", "running"], "limit": 5})
    [(method, path, headers)] = script.asked
    assert (method, path) == ("GET", f"{TASKS}?state=queued&state=running&limit=5")
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["User-Agent"].startswith("tidemark/")


def test_a_change_whose_answer_got_lost_is_sent_again_under_the_same_key() -> None:
    with scripted((0, {}, b""), (202, {}, b'{"id": "x"}')) as (url, script), cli.remote(url) as there:
        assert there.change(f"{TASKS}/x/retry") == {"id": "x"}
    keys = [headers["Idempotency-Key"] for _, _, headers in script.asked]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_change_that_was_refused_is_not_sent_again() -> None:
    with scripted(said(503, "not_ready", wait=1)) as (url, script), cli.remote(url) as there:
        with pytest.raises(CommandFailed):
            there.change(f"{TASKS}/x/cancel")
        assert len(script.asked) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused_and_can_be_trusted_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, tls = own_certificate(tmp_path)
    with scripted(page(), tls=tls) as (url, script):
        failed = ask(url)
        assert (failed.code, failed.exit_code, failed.is_passing) == (
            "certificate_refused",
            ExitCode.CREDENTIALS,
            False,
        )
        assert "SSL_CERT_FILE" in failed.words
        assert script.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with cli.remote(url) as there:
            assert there.read(TASKS)["items"] == []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(CommandFailed, match="SSL_CERT_FILE"), cli.remote(url):
        pass


def test_tls_to_a_plain_server_is_told_as_that() -> None:
    with scripted(page()) as (url, _):
        failed = ask(url.replace("http:", "https:"))
    assert (failed.code, "http://" in failed.words) == ("tls_failed", True)


def test_a_proxy_stands_between_us_and_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(page()) as (url, script), scripted(said(502, "proxy")) as (proxy, asked_of_proxy):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        with cli.remote(url) as there:
            there.read(TASKS)
        assert (len(script.asked), asked_of_proxy.asked) == (1, [])
        assert ask("http://tidemark.example.com").code == "proxy"


SECOND_FACTOR = {
    "access_token": "a",
    "refresh_token": "r",
    "expires_in": 3600,
    "user": {"email": "ada@example.com", "factors": [{"status": "verified", "factor_type": "totp"}]},
}


def config(supabase_url: str = "") -> Answer:
    return 200, {}, json.dumps({"supabase_url": supabase_url, "publishable_key": "sb_publishable_x"}).encode()


def log_in(url: str, **settings: str) -> subprocess.CompletedProcess[str]:
    options = ("--server", url, "--email", "ada@example.com", "--password-stdin")
    return tidemark("login", *options, data_dir=None, stdin="secret\n", **settings)


def test_an_account_with_a_second_factor_is_told_so_and_left_signed_out(tmp_path: Path) -> None:
    session: Answer = (200, {}, json.dumps(SECOND_FACTOR).encode())
    with scripted(config(), session, (204, {}, b"")) as (url, script):
        refused = log_in(url, XDG_CONFIG_HOME=str(tmp_path))
    assert (refused.returncode, "(code: second_factor_needed)" in refused.stderr) == (3, True)
    assert [path.partition("?")[0] for _, path, _ in script.asked] == [
        "/api/config",
        "/auth/v1/token",
        "/auth/v1/logout",
    ]
    assert script.asked[2][2]["Authorization"] == "Bearer a"
    assert not list(tmp_path.rglob("login.json"))


def test_a_password_does_not_leave_a_safe_line_for_a_plain_one(tmp_path: Path) -> None:
    certificate, tls = own_certificate(tmp_path)
    with scripted(page()) as (plain, asked), scripted(config(plain), tls=tls) as (url, _):
        refused = log_in(url, SSL_CERT_FILE=str(certificate))
    assert (refused.returncode, "(code: not_tidemark)" in refused.stderr, asked.asked) == (3, True, [])


def test_a_plain_line_to_another_machine_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("http://127.0.0.1:8000", "http://[::1]:8000", "https://tidemark.example.com"):
        warn_of_plain_http(url)
    assert capsys.readouterr().err == ""
    warn_of_plain_http("http://tidemark.example.com")
    assert "is not encrypted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "exit_code", "is_passing", "words"),
    [
        ((400, {}, b'{"code":"email_not_confirmed","message":"No"}'), ExitCode.CREDENTIALS, False, "not confirmed yet"),
        ((400, {}, b'{"code":400,"error_code":"user_banned","msg":"No"}'), ExitCode.CREDENTIALS, False, "suspended"),
        (
            (429, {"Retry-After": "30"}, b'{"code":"over_request_rate_limit","message":"No"}'),
            ExitCode.FAILURE,
            True,
            "Try again in 30 s.",
        ),
        ((500, {}, b'{"code":"unexpected_failure","message":"Oh"}'), ExitCode.FAILURE, True, "Supabase Auth says: Oh."),
        ((503, {}, b"<html>"), ExitCode.FAILURE, True, "It answered 503"),
        ((200, {}, b"{}"), ExitCode.CREDENTIALS, False, "is not a Tidemark"),
    ],
)
def test_what_the_auth_server_refuses_is_said_in_words(
    answer: Answer, exit_code: ExitCode, is_passing: bool, words: str
) -> None:
    with scripted(answer) as (url, _), cli.open_client() as client, pytest.raises(CommandFailed) as failed:
        SupabaseAuth(client, url, "sb_publishable_x").sign_in("ada@example.com", "secret")
    assert (failed.value.exit_code, failed.value.is_passing) == (exit_code, is_passing)
    assert words in failed.value.words


def frames(*events: str) -> Answer:
    return 200, {"Content-Type": "text/event-stream"}, "".join(f"{event}\n\n" for event in events).encode()


def event(number: int) -> str:
    return f'event: task_queued\nid: {number}\ndata: {{"type":"task_queued","task":{{"id":"t{number}"}}}}'


def told_by(there: Remote, count: int, notes: list[str], **how: float) -> list[tuple[str, int | None]]:
    told = iter(TaskEvents(there, notes.append, **how))
    return [(each.type, each.id) for each in (next(told) for _ in range(count))]


def test_a_stream_resumes_behind_the_last_event_and_tells_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "PAUSE_SECONDS", 0.01)
    answers: tuple[Answer, ...] = (
        frames("retry: 1000\nid: 4", event(5), ": ended, expired"),
        said(503, "not_ready", wait=0),
        (0, {}, b""),
        frames("retry: 1000\nid: 5", event(5), event(6)),
        frames("event: reset\nid: 9\ndata: {}", event(10)),
    )
    notes: list[str] = []
    with scripted(*answers) as (url, script), cli.remote(url) as there:
        told = told_by(there, 5, notes)
    assert told == [("begun", 4), ("task_queued", 5), ("task_queued", 6), ("reset", 9), ("task_queued", 10)]
    assert [headers.get("Last-Event-ID") for _, _, headers in script.asked] == [None, "5", "5", "5", "6"]
    assert notes == ["The stream broke off: No. Trying to connect again.", "Connected again."]


@pytest.mark.parametrize("answer", [said(401, "session_ended"), said(403, "account_suspended"), (200, {}, b"Hello")])
def test_a_stream_that_is_refused_is_not_asked_for_again(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "PAUSE_SECONDS", 0.01)
    with scripted(frames("id: 4"), answer) as (url, script), cli.remote(url) as there:
        with pytest.raises(CommandFailed):
            told_by(there, 2, [])
        assert len(script.asked) == 2


def test_a_first_attempt_that_fails_is_not_repeated() -> None:
    with scripted(said(503, "not_ready", wait=0)) as (url, script), cli.remote(url) as there:
        with pytest.raises(CommandFailed):
            told_by(there, 1, [])
        assert len(script.asked) == 1


def test_a_server_that_stays_away_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "PAUSE_SECONDS", 0.01)
    with scripted(frames("id: 4"), HTML) as (url, script), cli.remote(url) as there:
        with pytest.raises(CommandFailed, match="not well"):
            told_by(there, 2, [], patience_seconds=0.2)
        assert len(script.asked) > 3


def test_an_answer_that_lacks_what_is_read_in_it_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(page({"id": "x"})) as (url, _):
        with pytest.raises(CommandFailed, match="KeyError: 'state'"), cli.remote(url) as there:
            there.read(TASKS)["items"][0]["state"]
        monkeypatch.setenv("TIDEMARK_LOG_LEVEL", "debug")
        with pytest.raises(KeyError), cli.remote(url) as there:
            there.read(TASKS)["items"][0]["state"]
