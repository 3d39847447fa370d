"""Mails: by SMTP to a real server, or in the development mailbox in Mailpit's shape."""

import re
import smtplib
import time
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from backend.infrastructure.supabase.auth_server.mailer import SmtpAddress, send_by_smtp
from backend.infrastructure.supabase.auth_server.mails import compose
from tests.cluster import FreshDatabase
from tests.integration.auth.mail_sink import mail_sink
from tests.integration.auth.running import PASSWORD, RunningAuth, in_own_loop, new_email, running_auth


def test_mails_leave_by_smtp(database: FreshDatabase) -> None:
    email = new_email()
    with mail_sink(wants_login=True) as sink:
        url = f"smtp://robot:p%40ss@127.0.0.1:{sink.port}?from=tidemark@example.org"
        with running_auth(database, smtp_url=url, autoconfirm=False) as auth:
            answer = auth.ask("POST", "/signup", json={"email": email, "password": PASSWORD})
            assert "access_token" not in answer.json()
            (message,) = sink.wait_for(1)
            assert (message["To"], message["From"]) == (email, "tidemark@example.org")
            assert message["Subject"] == "Confirm your email address"
            assert message["Date"]
            assert message["Message-ID"].endswith("@example.org>")
            plain, rich = (message.get_body((kind,)) for kind in ("plain", "html"))
            assert plain is not None
            assert rich is not None
            code = re.search(r"Your code: (\d{6})", plain.get_content())
            assert code
            assert code[1] in rich.get_content()
            assert "/auth/v1/verify?token=" in plain.get_content()
            body = {"type": "signup", "email": email, "token": code[1]}
            assert auth.ask("POST", "/verify", json=body).status_code == 200
            assert auth.mails_to(email) == []
    assert sink.logins == [("robot", "p@ss")]


def test_a_busy_mail_server_is_asked_again(database: FreshDatabase) -> None:
    with (
        mail_sink(refusals=1) as sink,
        running_auth(database, smtp_url=f"smtp://127.0.0.1:{sink.port}") as auth,
    ):
        auth.ask("POST", "/otp", json={"email": new_email()})
        sink.wait_for(1)


def test_answers_do_not_wait_for_the_mail_server(database: FreshDatabase) -> None:
    with running_auth(database, smtp_url="smtp://127.0.0.1:1") as auth:
        known = new_email()
        auth.sign_up(known)
        began = time.monotonic()
        assert auth.ask("POST", "/recover", json={"email": known}).status_code == 200
        assert time.monotonic() - began < 5


def test_a_server_elsewhere_must_encrypt() -> None:
    with mail_sink() as sink:
        address = SmtpAddress.parse(f"smtp://127.0.0.1:{sink.port}", "http://localhost")
        assert address.allows_plain
        mail = compose("recovery", "a@example.com", code="123456", link=None, expiry=timedelta(hours=1))
        with pytest.raises(smtplib.SMTPNotSupportedError):
            send_by_smtp(replace(address, allows_plain=False), mail)
        assert sink.messages == []


def test_without_any_way_to_send_nothing_breaks(database: FreshDatabase) -> None:
    with running_auth(database, mailbox=False) as auth:
        email = new_email()
        auth.sign_up(email)
        assert auth.ask("POST", "/recover", json={"email": email}).json() == {}
        assert auth.mails_to(email) == []


def test_the_mailbox_speaks_as_mailpit(auth: RunningAuth) -> None:
    email = new_email()
    for _ in range(2):
        auth.ask("POST", "/otp", json={"email": email})
    found = auth.http.get(f"{auth.mailbox_url}/api/v1/search", params={"query": f'to:"{email}"'}).json()
    assert (found["messages_count"], found["count"], found["start"]) == (2, 2, 0)
    summary = found["messages"][0]
    assert summary["To"] == [{"Name": "", "Address": email}]
    assert summary["From"]["Address"]
    assert summary["Subject"] == "Your sign-in link"
    assert summary["Read"] is False
    assert summary["Created"] >= found["messages"][1]["Created"]
    whole = auth.http.get(f"{auth.mailbox_url}/api/v1/message/{summary['ID']}").json()
    assert {"ID", "From", "To", "Subject", "Text", "HTML", "Date", "Attachments"} <= set(whole)
    latest = auth.http.get(f"{auth.mailbox_url}/api/v1/message/latest").json()
    assert latest["ID"] == summary["ID"]
    listed = auth.http.get(f"{auth.mailbox_url}/api/v1/messages", params={"limit": 1}).json()
    assert listed["messages"][0]["ID"] == summary["ID"]
    assert listed["messages"][0]["Read"] is True
    assert listed["total"] >= 2
    assert auth.http.get(f"{auth.mailbox_url}/api/v1/message/unknown").status_code == 404
    assert auth.http.get(f"{auth.mailbox_url}/api/v1/search").status_code == 400


def test_searching_by_several_words(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    auth.ask("POST", "/otp", json={"email": email})

    def count(query: str) -> int:
        found = auth.http.get(f"{auth.mailbox_url}/api/v1/search", params={"query": query}).json()
        return int(found["messages_count"])

    assert count(f"to:{email}") == 2
    assert count(f'to:{email} subject:"reset your"') == 1
    assert count(f"{email} sign-in") == 1
    assert count(f"to:{email} nowhere") == 0
    assert count('to:"unbalanced') == 0


def test_mails_can_be_deleted(auth: RunningAuth) -> None:
    one, other = new_email(), new_email()
    for email in (one, other):
        auth.ask("POST", "/otp", json={"email": email})
    mine = auth.mails_to(one)[0]["ID"]
    assert auth.http.request("DELETE", f"{auth.mailbox_url}/api/v1/messages", json={"IDs": [mine]}).status_code == 200
    assert auth.mails_to(one) == []
    assert len(auth.mails_to(other)) == 1
    assert auth.http.delete(f"{auth.mailbox_url}/api/v1/messages").status_code == 200
    assert auth.http.get(f"{auth.mailbox_url}/api/v1/messages").json()["total"] == 0
    assert auth.http.request("DELETE", f"{auth.mailbox_url}/api/v1/messages", content=b"{").status_code == 400


def test_the_page_shows_mails_without_running_anything(auth: RunningAuth) -> None:
    assert "Nothing yet" in auth.http.get(auth.mailbox_url).text or "<table>" in auth.http.get(auth.mailbox_url).text
    email = new_email()
    auth.ask("POST", "/otp", json={"email": email})
    page = auth.http.get(auth.mailbox_url)
    assert email in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    message_id = auth.mails_to(email)[0]["ID"]
    shown = auth.http.get(f"{auth.mailbox_url}/view/{message_id}")
    assert auth.link_for(email).replace("&", "&amp;") in shown.text
    html = auth.http.get(f"{auth.mailbox_url}/view/{message_id}.html")
    assert "sandbox" in html.headers["content-security-policy"]
    assert auth.http.get(f"{auth.mailbox_url}/view/unknown").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", ""]
)
def test_the_mailbox_answers_to_loopback_names_only(auth: RunningAuth, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/v1/messages"), ("DELETE", "/api/v1/messages")):
        answer = auth.http.request(method, f"{auth.mailbox_url}{path}", headers={"Host": host})
        assert answer.status_code in (400, 403)


def test_pages_elsewhere_cannot_reach_the_mailbox(auth: RunningAuth) -> None:
    answer = auth.http.delete(f"{auth.mailbox_url}/api/v1/messages", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("login", "role"),
    [("app_api", "app_api"), ("app_api", "anon"), ("app_api", "authenticated"), ("app_worker", "service_role")],
)
def test_nobody_who_serves_users_reads_the_mailbox_table(database: FreshDatabase, login: str, role: str) -> None:
    async def read() -> None:
        connection = await asyncpg.connect(database.dsn(login))
        try:
            async with connection.transaction():
                await connection.execute("select set_config('role', $1, true)", role)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch("select * from mailbox.messages")
        finally:
            await connection.close()

    in_own_loop(read())


def test_mail_texts_survive_odd_addresses(auth: RunningAuth) -> None:
    email = f"o'brien+{new_email()}"
    assert auth.ask("POST", "/otp", json={"email": email}).status_code == 200
    found = auth.http.get(f"{auth.mailbox_url}/api/v1/search", params={"query": f'to:"{email}"'}).json()
    assert found["messages"][0]["To"][0]["Address"] == email
