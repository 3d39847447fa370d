"""What an operator does with accounts: Supabase Auth's admin API through the official client."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError
from supabase_auth.types import User

from backend.domain.accounts import Account
from backend.domain.errors import ConfigurationError, InvalidInput, NotFound, ServiceUnavailable, TidemarkError
from supabase import ClientOptions, create_client

PAGE_SIZE = 200
SHORTEST_PASSWORD = 8
WORDS = {  # what an operator can do about a refusal; the others are told as they come
    "email_exists": "There is an account with this address already; `tidemark user list` shows it.",
    "validation_failed": "This is no email address; it should look like ada@example.com.",
}
Answer = TypeVar("Answer")


class AuthAdmin:
    """An AccountAdmin, made with the project's secret key: it may do anything, so it never acts for a user."""

    def __init__(self, url: str, secret_key: str) -> None:
        self._url = url
        self._admin = create_client(
            url, secret_key, ClientOptions(auto_refresh_token=False, persist_session=False)
        ).auth.admin

    def create(self, email: str, password: str, *, is_admin: bool) -> Account:
        attributes: dict[str, Any] = {"email": email, "password": password, "email_confirm": True}
        if is_admin:
            attributes["app_metadata"] = {"role": "admin"}
        _check_length(password)
        return _account(self._ask(lambda: self._admin.create_user(attributes).user))  # type: ignore[arg-type]  # a TypedDict there

    def everyone(self) -> Iterator[Account]:
        for page in count(1):
            users = self._ask(partial(self._admin.list_users, page=page, per_page=PAGE_SIZE))
            if not users:
                return
            yield from map(_account, users)

    def set_password(self, email: str, password: str) -> Account:
        _check_length(password)
        return self._change(email, {"password": password})

    def set_admin(self, email: str, is_admin: bool) -> Account:
        return self._change(email, {"app_metadata": {"role": "admin" if is_admin else None}})

    def set_plan(self, email: str, plan: str) -> Account:
        return self._change(email, {"app_metadata": {"plan": plan}})

    def suspend(self, email: str, *, hours: int) -> Account:
        return self._change(email, {"ban_duration": f"{hours}h" if hours else "none"})

    def find(self, email: str) -> Account:
        wanted = email.strip().lower()
        account = next((account for account in self.everyone() if account.email == wanted), None)
        if account is None:
            raise NotFound(f"There is no user with the address {email}. `tidemark user list` shows them all.")
        return account

    def _change(self, email: str, attributes: dict[str, Any]) -> Account:
        account = self.find(email)
        return _account(self._ask(lambda: self._admin.update_user_by_id(str(account.id), attributes).user))  # type: ignore[arg-type]  # as above

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        try:
            return request()
        except AuthRetryableError as problem:
            raise ServiceUnavailable(f"{self._url} does not answer: {problem.message}.") from problem
        except AuthApiError as problem:
            raise _meaning(problem) from problem
        except AuthError as problem:
            raise ServiceUnavailable(f"{self._url}: {problem.message}") from problem


def _check_length(password: str) -> None:
    """The admin API itself takes any password."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(
            detail=f"The password has {len(password)} characters; at least {SHORTEST_PASSWORD} are needed."
        )


def _meaning(problem: AuthApiError) -> TidemarkError:
    if problem.status in (401, 403):
        return ConfigurationError(f"The project refused the secret key: {problem.message}. Check SUPABASE_SECRET_KEY.")
    return InvalidInput(detail=WORDS.get(problem.code or "", f"Supabase Auth refused it: {problem.message}."))


def _account(user: User) -> Account:
    return Account(
        id=UUID(user.id),
        email=user.email or None,
        is_admin=user.app_metadata.get("role") == "admin",
        is_anonymous=user.is_anonymous,
        plan=user.app_metadata.get("plan"),
        suspended_until=_time(user.banned_until),
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
    )


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
