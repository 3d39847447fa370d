"""The development mailbox: mails that nobody sent, kept in a schema that only this server can reach."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg

from backend.infrastructure.supabase.auth_server.mails import Mail
from backend.infrastructure.supabase.auth_server.user import Connection

KEPT = 500


@dataclass(frozen=True, kw_only=True)
class Message:
    """One kept mail."""

    id: str
    recipient: str
    sender: str
    subject: str
    text: str
    html: str
    created_at: datetime
    is_read: bool

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> Self:
        return cls(
            id=row["id"],
            recipient=row["recipient"],
            sender=row["sender"],
            subject=row["subject"],
            text=row["text"],
            html=row["html"],
            created_at=row["created_at"],
            is_read=row["read_at"] is not None,
        )


@dataclass(frozen=True, kw_only=True)
class Search:
    """What Mailpit's search understands: `to:`, `from:`, `subject:` and bare words, all of which must be found."""

    to: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


async def keep(connection: Connection, mail: Mail, sender: str) -> None:
    await connection.execute(
        "insert into mailbox.messages (id, recipient, sender, subject, text, html, created_at)"
        " values ($1, $2, $3, $4, $5, $6, clock_timestamp())",
        secrets.token_urlsafe(16),
        mail.recipient,
        sender,
        mail.subject,
        mail.text,
        mail.html,
    )
    await connection.execute(
        "delete from mailbox.messages where id in"
        " (select id from mailbox.messages order by created_at desc, id offset $1)",
        KEPT,
    )


async def find(connection: Connection, search: Search, *, start: int, limit: int) -> tuple[list[Message], int]:
    """The newest messages that fit, and how many fit."""
    rows = await connection.fetch(
        "select *, count(*) over () as total from mailbox.messages where"
        " recipient ilike all ($1::text[]) and sender ilike all ($2::text[]) and subject ilike all ($3::text[])"
        " and (recipient || ' ' || sender || ' ' || subject || ' ' || text) ilike all ($4::text[])"
        " order by created_at desc, id offset $5 limit $6",
        _patterns(search.to),
        _patterns(search.sender),
        _patterns(search.subject),
        _patterns(search.words),
        start,
        limit,
    )
    return [Message.from_row(row) for row in rows], rows[0]["total"] if rows else 0


async def counts(connection: Connection) -> tuple[int, int]:
    """All messages, and those not read yet."""
    row = await connection.fetchrow(
        "select count(*) as all, count(*) filter (where read_at is null) as unread from mailbox.messages"
    )
    return (0, 0) if row is None else (row["all"], row["unread"])


async def read(connection: Connection, message_id: str) -> Message | None:
    row = await connection.fetchrow(
        "update mailbox.messages set read_at = coalesce(read_at, now()) where id = $1 returning *", message_id
    )
    return None if row is None else Message.from_row(row)


async def newest_id(connection: Connection) -> str | None:
    found: str | None = await connection.fetchval(
        "select id from mailbox.messages order by created_at desc, id limit 1"
    )
    return found


async def delete(connection: Connection, message_ids: Sequence[str]) -> None:
    """These messages, or all of them when none is named."""
    await connection.execute(
        "delete from mailbox.messages where cardinality($1::text[]) = 0 or id = any($1::text[])", list(message_ids)
    )


def _patterns(words: Sequence[str]) -> list[str]:
    return ["%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for word in words]
