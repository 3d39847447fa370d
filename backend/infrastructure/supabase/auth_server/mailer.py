"""How mails leave: by SMTP in the background, or into the development mailbox within the transaction."""

import asyncio
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol, Self
from urllib.parse import parse_qs, unquote, urlsplit

from loguru import logger

from backend.domain.errors import InvalidSetting
from backend.infrastructure.supabase.auth_server import mailbox
from backend.infrastructure.supabase.auth_server.mails import Mail
from backend.infrastructure.supabase.auth_server.user import Connection

SETTING = "TIDEMARK_SMTP_URL"
CONNECT_SECONDS = 15
ATTEMPTS = 3
DRAIN_SECONDS = 20


class Mailer(Protocol):
    """Takes a mail inside the transaction that caused it; delivers once that has committed."""

    async def take(self, connection: Connection, mail: Mail) -> Callable[[], None]: ...

    async def close(self) -> None: ...


class MailboxMailer:
    """Keeps every mail for the developer to read; it appears together with what caused it."""

    def __init__(self, sender: str) -> None:
        self._sender = sender

    async def take(self, connection: Connection, mail: Mail) -> Callable[[], None]:
        await mailbox.keep(connection, mail, self._sender)
        return _nothing

    async def close(self) -> None:
        return None


class NoMailer:
    """There is no way to send mail: said in the log, so that an operator learns why nothing arrives."""

    async def take(self, connection: Connection, mail: Mail) -> Callable[[], None]:
        del connection
        logger.warning("No mail was sent ('{}'): set {} to deliver mails", mail.subject, SETTING)
        return _nothing

    async def close(self) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class SmtpAddress:
    """Where and as whom to deliver, as told by one URL."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None
    sender: str
    allows_plain: bool

    @classmethod
    def parse(cls, url: str, site_url: str) -> Self:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as problem:
            raise InvalidSetting(SETTING, str(problem)) from problem
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise InvalidSetting(SETTING, "must look like smtp://user:password@host:587?from=tidemark@example.com")
        options = parse_qs(parts.query)
        user = unquote(parts.username) if parts.username else None
        fallback = user if user and "@" in user else f"no-reply@{urlsplit(site_url).hostname or 'localhost'}"
        is_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=port or (465 if is_tls else 587),
            is_tls=is_tls,
            user=user,
            password=unquote(parts.password) if parts.password else None,
            sender=options.get("from", [fallback])[0],
            allows_plain=options.get("tls", [""])[0] == "off" or parts.hostname in ("127.0.0.1", "localhost", "::1"),
        )


class SmtpMailer:
    """Delivers in a thread after the commit, so that an answer takes as long whether or not there is an account."""

    def __init__(self, address: SmtpAddress, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._address = address
        self._pause = pause
        self._under_way: set[asyncio.Task[None]] = set()

    async def take(self, connection: Connection, mail: Mail) -> Callable[[], None]:
        del connection

        def send() -> None:
            task = asyncio.create_task(self._deliver(mail))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        return send

    async def close(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)

    async def _deliver(self, mail: Mail) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await asyncio.to_thread(send_by_smtp, self._address, mail)
            except (OSError, smtplib.SMTPException) as problem:
                kind = type(problem).__name__
                if attempt == ATTEMPTS or isinstance(problem, smtplib.SMTPAuthenticationError):
                    logger.error("A mail ('{}') could not be delivered: {}", mail.subject, kind)
                    return
                logger.warning("Delivering a mail ('{}') failed, trying again: {}", mail.subject, kind)
                await self._pause(2.0**attempt)
            else:
                return


def send_by_smtp(address: SmtpAddress, mail: Mail) -> None:
    """Blocking; encrypted unless the server is on this machine or the operator said otherwise."""
    message = EmailMessage()
    message["From"] = address.sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=address.sender.rpartition("@")[2].rstrip(">") or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    tls = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(address.host, address.port, timeout=CONNECT_SECONDS, context=tls)
        if address.is_tls
        else smtplib.SMTP(address.host, address.port, timeout=CONNECT_SECONDS)
    ) as server:
        if not address.is_tls:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=tls)
            elif not address.allows_plain:
                raise smtplib.SMTPNotSupportedError("the server offers no encryption")
        if address.user and address.password:
            server.login(address.user, address.password)
        server.send_message(message)


def _nothing() -> None:
    return None
