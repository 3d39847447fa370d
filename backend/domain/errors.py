"""The tree of everything that can go wrong, in words a person can act on.

    TidemarkError
    ├── SignInNeeded              NotSignedIn  TokenRejected  SessionEnded
    ├── NotAllowed                AccountSuspended  ScopeMissing  SessionNeeded  AdminNeeded
    ├── NotFound                  SessionNotFound  TokenNotFound  ShareNotFound  JobNotFound  BacktestNotFound
    ├── Conflict                  RequestInProgress  JobNotRetryable  BacktestNotFinished
    ├── VersionConflict
    ├── VersionRequired
    ├── InvalidInput              InvalidCursor  IdempotencyKeyInvalid  IdempotencyKeyReused  JobTooLarge
    │                         PayloadTooLarge
    ├── BodyTooLarge
    ├── RateLimited
    ├── QuotaReached
    ├── ServiceUnavailable        DatabaseUnavailable  SigningKeysUnavailable
    ├── MarketDataError           in market_errors.py, with a tree of its own
    └── ConfigurationError        InvalidSetting  DataDirectoryInUse  DataDirectoryUnusable
                                  PortTaken  MigrationRefused

The domain raises meaning; the edge (`api/errors.py`, the command line's exit codes) chooses how to say it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

_LAYOUT: Final = "\n\t\u00a0\u202f"  # line ends, and the spaces within numbers


def printable(text: str) -> str:
    """What somebody sent may be told back, but nothing in it that a terminal or a browser would act on."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in _LAYOUT else "\N{REPLACEMENT CHARACTER}" for each in text)


class TidemarkError(Exception):
    """Something went wrong that Tidemark can name."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = printable(detail) if detail is not None else f"{self.title}."
        super().__init__(self.detail)


class SignInNeeded(TidemarkError):
    """The caller is not known to us, or no longer."""

    code = "sign_in_needed"
    title = "Sign in to continue"


class NotSignedIn(SignInNeeded):
    """The request carries no access token."""

    code = "not_signed_in"

    def __init__(self, detail: str = "Send an access token as 'Authorization: Bearer <token>'.") -> None:
        super().__init__(detail)


class TokenRejected(SignInNeeded):
    """The access token is not one that we accept; `reason` says why without repeating it."""

    code = "token_rejected"
    title = "This access token is not valid"

    def __init__(self, reason: str, *, remedy: str = "Sign in again.") -> None:
        self.reason = reason
        super().__init__(f"The access token was refused: {reason}. {remedy}")


class SessionEnded(SignInNeeded):
    """The token is genuine, but its session was signed out since."""

    code = "session_ended"
    title = "This session has ended"

    def __init__(self, detail: str = "This session was signed out. Sign in again.") -> None:
        super().__init__(detail)


class NotAllowed(TidemarkError):
    """We know who is asking, and they may not do this."""

    code = "not_allowed"
    title = "You may not do this"


class AccountSuspended(NotAllowed):
    """The account was suspended or deleted by an operator."""

    code = "account_suspended"
    title = "This account is suspended"

    def __init__(self, detail: str = "This account is suspended. Ask the operator of this installation.") -> None:
        super().__init__(detail)


class ScopeMissing(NotAllowed):
    """The personal access token was not made for this."""

    code = "scope_missing"
    title = "This token may not do this"

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"It needs a personal access token with the scope '{scope}', or a session.")


class SessionNeeded(NotAllowed):
    """No personal access token can do this, whatever its scopes."""

    code = "session_needed"
    title = "This needs a session"

    def __init__(self) -> None:
        super().__init__(
            "No personal access token can do this, whatever its scopes. Sign in, and do it with a session."
        )


class AdminNeeded(NotAllowed):
    """The caller is no administrator, or no longer."""

    code = "admin_needed"
    title = "This needs an administrator"

    def __init__(self) -> None:
        super().__init__(
            "Only an administrator can do this. Whoever runs this installation makes one with `tidemark user promote`."
        )


class NotFound(TidemarkError):
    """There is no such thing, or it is not the caller's to see."""

    code = "not_found"
    title = "Not found"


class SessionNotFound(NotFound):
    """The caller has no session of that id."""

    code = "session_not_found"
    title = "No such session"

    def __init__(self, session_id: object) -> None:
        super().__init__(f"You have no session {session_id}; it may have ended already.")


class TokenNotFound(NotFound):
    """The caller has no live token of that id."""

    code = "token_not_found"
    title = "No such token"

    def __init__(self, token_id: object) -> None:
        super().__init__(f"You have no token {token_id} that could be revoked; it may be revoked already.")


class ShareNotFound(NotFound):
    """There is no such link, or no longer."""

    code = "share_not_found"
    title = "No such link"

    def __init__(self, detail: str = "This link does not exist, has expired or was revoked.") -> None:
        super().__init__(detail)


class JobNotFound(NotFound):
    """The caller has no job of that id."""

    code = "job_not_found"
    title = "No such task"

    def __init__(self, job_id: object) -> None:
        super().__init__(f"You have no task {job_id}.")


class BacktestNotFound(NotFound):
    """The caller has no backtest of that id."""

    code = "backtest_not_found"
    title = "No such backtest"

    def __init__(self, backtest_id: object) -> None:
        super().__init__(f"You have no backtest {backtest_id}.")


class Conflict(TidemarkError):
    """The request does not fit the present state."""

    code = "conflict"
    title = "This conflicts with the present state"


class RequestInProgress(Conflict):
    """Another request under the same idempotency key is still at work."""

    code = "request_in_progress"
    title = "The same request is still at work"

    def __init__(
        self, detail: str = "A request with this Idempotency-Key is still at work. Try again shortly."
    ) -> None:
        super().__init__(detail)


class JobNotRetryable(Conflict):
    """Only what failed or was cancelled can be run again."""

    code = "job_not_retryable"
    title = "This task cannot be run again"

    def __init__(self, job_id: object, state: str) -> None:
        super().__init__(f"Task {job_id} is {state}; only a failed or cancelled one can be run again.")


class BacktestNotFinished(Conflict):
    """It has no result (yet)."""

    code = "backtest_not_finished"
    title = "This backtest has no result"

    def __init__(self, backtest_id: object, state: str) -> None:
        super().__init__(f"The backtest {backtest_id} is {state}; what you ask for is there once it is completed.")


class VersionConflict(TidemarkError):
    """It was changed by someone else since the caller read it."""

    code = "version_conflict"
    title = "Changed since you read it"

    def __init__(
        self, detail: str = "It was changed since you read it. Read it again, then repeat your change."
    ) -> None:
        super().__init__(detail)


class VersionRequired(TidemarkError):
    """An edit must say which version it is based on."""

    code = "version_required"
    title = "Say which version you are changing"

    def __init__(self, detail: str = "Send the ETag of the version you read as If-Match.") -> None:
        super().__init__(detail)


@dataclass(frozen=True, kw_only=True)
class InputError:
    """One thing wrong with the input: where (`/display_name` in the body, else `/query/limit` or so) and what."""

    pointer: str
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "pointer", printable(self.pointer))
        object.__setattr__(self, "detail", printable(self.detail))


class InvalidInput(TidemarkError):
    """The input is understood and refused; `errors` point at each culprit."""

    code = "invalid_input"
    title = "The input is not valid"

    def __init__(self, errors: Iterable[InputError] = (), detail: str | None = None) -> None:
        self.errors: tuple[InputError, ...] = tuple(errors)
        super().__init__(detail if detail is not None else _summary(self.errors))


class InvalidCursor(InvalidInput):
    """The cursor was not made by this list, or was changed."""

    code = "invalid_cursor"
    title = "This cursor is not valid"

    def __init__(self) -> None:
        super().__init__(
            [InputError(pointer="/query/cursor", detail="Not a cursor of this list.")],
            "This cursor was not made by this list. Start again without one.",
        )


class IdempotencyKeyInvalid(InvalidInput):
    """The idempotency key does not have the form of one."""

    code = "idempotency_key_invalid"
    title = "This Idempotency-Key is not valid"

    def __init__(self) -> None:
        super().__init__(
            [
                InputError(
                    pointer="/header/Idempotency-Key", detail="1 to 255 letters, digits or any of _ - . : needed."
                )
            ],
            "An Idempotency-Key has 1 to 255 letters, digits or any of '_', '-', '.' and ':'; a UUID is a good one.",
        )


class IdempotencyKeyReused(InvalidInput):
    """The key was used for a different request in the last 24 hours."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key belongs to another request"

    def __init__(self) -> None:
        super().__init__(
            [InputError(pointer="/header/Idempotency-Key", detail="Already used for a different request.")],
            "This Idempotency-Key was used for a different request in the last 24 hours. Use a new one.",
        )


class JobTooLarge(InvalidInput):
    """The job needs more than this machine may ever give."""

    code = "job_too_large"
    title = "This task is larger than the machine"

    def __init__(self, *, cores: int, memory_bytes: int, capacity_cores: int, capacity_memory_bytes: int) -> None:
        self.cores, self.memory_bytes = cores, memory_bytes
        self.capacity_cores, self.capacity_memory_bytes = capacity_cores, capacity_memory_bytes
        super().__init__(
            detail=f"The task needs {_amount(cores, memory_bytes)}; this machine gives tasks at most"
            f" {_amount(capacity_cores, capacity_memory_bytes)}. Choose a smaller input."
        )


class PayloadTooLarge(InvalidInput):
    """What the job is to work on is larger than we keep with a job."""

    code = "payload_too_large"
    title = "The input of this task is too large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes
        super().__init__(
            detail=f"The input of the task has {size_bytes:,} bytes; at most {limit_bytes:,} are allowed."
            " Name fewer symbols or parameters, or split it into several tasks."
        )


class BodyTooLarge(TidemarkError):
    """The request body is larger than we read."""

    code = "body_too_large"
    title = "The request body is too large"

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"The request body is larger than the {limit_bytes:,} bytes allowed here.")


class RateLimited(TidemarkError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many requests. Try again in {retry_after} s.")


class QuotaReached(TidemarkError):
    """The user has as many of these as the user's plan allows."""

    code = "quota_reached"
    title = "You have reached a limit of your plan"

    def __init__(self, what: str, *, limit: int, count: int, remedy: str = "Wait for some, or cancel them.") -> None:
        self.limit, self.count = limit, count
        super().__init__(f"You have {count:,} {what}; at most {limit:,} are allowed. {remedy}")


class ServiceUnavailable(TidemarkError):
    """Something we stand on does not answer; trying again later will help."""

    code = "service_unavailable"
    title = "Not available right now"

    def __init__(self, detail: str = "A part of Tidemark does not answer. Try again.", *, retry_after: int = 2) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class DatabaseUnavailable(ServiceUnavailable):
    """The database does not answer."""

    code = "database_unavailable"
    title = "The database does not answer"

    def __init__(self, detail: str = "The database does not answer. Try again.", *, retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)


class SigningKeysUnavailable(ServiceUnavailable):
    """The project's public signing keys cannot be read, so no token can be checked."""

    code = "signing_keys_unavailable"
    title = "Sign-ins cannot be checked right now"

    def __init__(self, detail: str = "The project's signing keys cannot be read. Try again.") -> None:
        super().__init__(detail, retry_after=5)


class ConfigurationError(TidemarkError):
    """This machine or its settings are not ready; the detail says what to do."""

    code = "configuration_error"
    title = "The configuration cannot be used"


class InvalidSetting(ConfigurationError):
    """A setting has a value that cannot be used."""

    code = "invalid_setting"
    title = "A setting is not valid"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name}: {reason}")


class DataDirectoryInUse(ConfigurationError):
    """Another Tidemark serves this data directory."""

    code = "data_directory_in_use"
    title = "Another Tidemark uses this data directory"


class DataDirectoryUnusable(ConfigurationError):
    """The data directory cannot be read, written or reached."""

    code = "data_directory_unusable"
    title = "The data directory cannot be used"


class PortTaken(ConfigurationError):
    """The port that was asked for is in use."""

    code = "port_taken"
    title = "The port is taken"

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__(f"Port {port} on {host} is taken. Choose another with --port, or leave it out.")


class MigrationRefused(ConfigurationError):
    """The migrations on disk and those in the database do not fit together, or one failed."""

    code = "migration_refused"
    title = "The migrations cannot be applied"


def _summary(errors: tuple[InputError, ...]) -> str:
    if not errors:
        return "The input is not valid."
    if len(errors) == 1:
        return f"{errors[0].pointer or 'The body'}: {errors[0].detail}"
    return f"{len(errors)} things are not valid; see errors."


def _amount(cores: int, memory_bytes: int) -> str:
    return f"{cores} {'core' if cores == 1 else 'cores'} and {memory_bytes / 1024**2:,.0f} MiB of memory"
