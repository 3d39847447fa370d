"""What belongs to one person: its nouns, how they are taken along, and what can go wrong on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from backend.domain.errors import Conflict, NotAllowed, RateLimited

CONFIRMATION: Final = "delete my account"
MOST_EXPORTS_A_DAY: Final = 5
# Whoever was at work for an account that left is gone by then, on every machine.
DEPARTURES_ARE_KEPT_FOR: Final = timedelta(minutes=10)
README: Final = "README.txt"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Noun:
    """One kind of thing that a person has: where its rows are, the file that they go into, and what it tells."""

    name: str
    file: str
    about: str
    # A table of the schema public with a user_id, or a function that answers with the caller's own rows alone.
    source: str
    # What tells its rows apart, besides whose they are, in the order of the file.
    key: tuple[str, ...] = ("id",)
    # So many rows are in memory at a time, if they are small.
    page: int = 200
    # Of a function; those of a table are what their owner may read of it.
    columns: tuple[str, ...] = ()

    @property
    def is_table(self) -> bool:
        return self.source.startswith("public.")


# In the order of the archive. A table that is missing here fails a test.
NOUNS: Final = (
    Noun(
        name="profile",
        file="profile.json",
        about="Your name and preferences.",
        source="public.profiles",
        key=("user_id",),
    ),
    Noun(
        name="sessions",
        file="sessions.json",
        about="Where you are signed in.",
        source="private.list_my_sessions()",
        columns=("id", "created_at", "last_seen_at", "user_agent", "ip", "is_current"),
    ),
    Noun(
        name="access tokens",
        file="access_tokens.json",
        about="Your access tokens by name and hint, not the tokens themselves: nobody has them but you.",
        source="public.personal_access_tokens",
    ),
    Noun(
        name="exchange keys",
        file="exchange_keys.json",
        about="Your keys of exchanges by label and hint, without the secrets: they never leave Tidemark.",
        source="public.api_keys",
    ),
    Noun(
        name="exchange key events",
        file="exchange_key_events.json",
        about="What was done with your exchange keys, by whom and why.",
        source="public.api_key_audit_log",
    ),
    Noun(name="tasks", file="tasks.json", about="What Tidemark computed for you.", source="public.tasks"),
    Noun(
        name="task events",
        file="task_events.json",
        about="When each task was queued, began and ended, of the last 7 days.",
        source="public.task_events",
    ),
    Noun(
        name="backtests",
        file="backtests.json",
        about="Your backtests and studies: configuration, summary, trust panel, notes and tags. Deleted ones that can"
        " still be brought back are among them.",
        source="public.backtests",
    ),
    Noun(
        name="presets",
        file="presets.json",
        about="Forms of backtests that you saved.",
        source="public.backtest_presets",
    ),
    Noun(
        name="shares",
        file="shares.json",
        about="Results that you shared, until when, and how often each was opened; not the links themselves.",
        source="public.shares",
    ),
    Noun(
        name="strategies",
        file="strategies.json",
        about="Strategies that you put together.",
        source="public.strategies",
    ),
    Noun(
        name="strategy versions",
        file="strategy_versions.json",
        about="Every version of their rules.",
        source="public.strategy_versions",
        key=("strategy_id", "version"),
    ),
    Noun(
        name="models",
        file="models.json",
        about="Your models with their cards. The files that learned are beside it, in models/, by the id of each.",
        source="public.models",
    ),
    Noun(
        name="predictions",
        file="predictions.json",
        about="What your models predicted.",
        source="public.predictions",
    ),
    Noun(
        name="prediction outcomes",
        file="prediction_outcomes.json",
        about="What came of it.",
        source="public.prediction_outcomes",
        key=("prediction_id",),
    ),
    Noun(
        name="imported series",
        file="imported_series.json",
        about="Bars that you imported. They are beside it in bars/, a folder for each series, a Parquet file a year.",
        source="public.series",
    ),
)
# The tables of results, row by row: trades.csv and so on.
TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trades": "Every trade of your backtests.",
        "equity": "The equity of your backtests, bar by bar.",
        "trials": "Every trial of your studies, one JSON object a line.",
    }
)
# Tables with a user_id that are in no file of their own, and why.
NOT_TAKEN_ALONG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "public.backtest_parts": "Its rows are unpacked into trades.csv, equity.csv and trials.jsonl.",
        "public.prediction_waits": "When to look again for bars; what comes of it is in prediction_outcomes.json.",
        "public.idempotency_keys": "Copies of answers, kept for a day for requests that are sent again.",
    }
)
Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class OwnPage:
    """Some rows, each a JSON object as the database writes it, and the last of them; None when there are no more."""

    rows: Sequence[str]
    next: Key | None


@dataclass(frozen=True, kw_only=True)
class TablePiece:
    """Some rows of a table of a result, packed."""

    backtest_id: UUID
    part: int
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """How much of everything a person has, by noun."""

    counts: Mapping[str, int]
    has_password: bool


@dataclass(frozen=True, kw_only=True)
class Departure:
    """Somebody who left, and when."""

    user_id: UUID
    left_at: datetime


class PasswordWrong(NotAllowed):
    """The account has a password, and it is not the one that was sent."""

    code = "password_wrong"
    title = "The password is not right"

    def __init__(self) -> None:
        super().__init__("Send the password of this account as 'password'. Nothing was deleted.")


class PasswordUnreadable(NotAllowed):
    """The password is kept in a form that cannot be compared here."""

    code = "password_unreadable"
    title = "The password cannot be checked"

    def __init__(self) -> None:
        super().__init__("Your password is kept in an older form. Set a new one, then delete the account.")


class LastAdmin(Conflict):
    """Without them nobody could look after the installation."""

    code = "last_admin"
    title = "You are the only administrator"

    def __init__(self) -> None:
        super().__init__("You are the only administrator. Make somebody else one first, then delete your account.")


class TooManyTries(RateLimited):
    """The password was guessed too often."""

    code = "too_many_tries"
    title = "Too many wrong passwords"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.detail = f"The password was wrong too often. Try again in {-(-retry_after // 60)} min."


class TooManyExports(RateLimited):
    """All data was taken along often enough for a day."""

    code = "too_many_exports"
    title = "You exported your data often today"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.detail = (
            f"Your data can be exported {MOST_EXPORTS_A_DAY} times within a day. Try again in"
            f" {-(-retry_after // 3600)} h."
        )
