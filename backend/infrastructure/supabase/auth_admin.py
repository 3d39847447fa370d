"""What an operator does with accounts: Supabase Auth's admin API through the official client."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, TypeVar

from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError
from supabase_auth.types import User

from backend.domain.errors import ConfigurationError, InvalidInput, NotFound, ServiceUnavailable, TidemarkError
from supabase import ClientOptions, create_client

PAGE_SIZE = 200
Answer = TypeVar("Answer")


class AuthAdmin:
    """Reads and changes any account; made with the project's secret key, so never on behalf of a user."""

    def __init__(self, url: str, secret_key: str) -> None:
        self._url = url
        self._admin = create_client(
            url, secret_key, ClientOptions(auto_refresh_token=False, persist_session=False)
        ).auth.admin

    def create(self, email: str, password: str, *, is_admin: bool) -> User:
        attributes: dict[str, Any] = {"email": email, "password": password, "email_confirm": True}
        if is_admin:
            attributes["app_metadata"] = {"role": "admin"}
        if len(password) < 8:
            raise InvalidInput(detail=f"The password has {len(password)} characters; at least 8 are needed.")
        return self._ask(lambda: self._admin.create_user(attributes).user)  # type: ignore[arg-type]  # a TypedDict there

    def everyone(self) -> Iterator[User]:
        for page in count(1):
            users = self._ask(partial(self._admin.list_users, page=page, per_page=PAGE_SIZE))
            if not users:
                return
            yield from users

    def set_admin(self, email: str, is_admin: bool) -> User:
        return self._change(email, {"app_metadata": {"role": "admin" if is_admin else None}})

    def suspend(self, email: str, *, hours: int) -> User:
        return self._change(email, {"ban_duration": f"{hours}h" if hours else "none"})

    def _change(self, email: str, attributes: dict[str, Any]) -> User:
        wanted = email.strip().lower()
        user = next((user for user in self.everyone() if user.email == wanted), None)
        if user is None:
            raise NotFound(f"There is no user with the address {email}. `tidemark user list` shows them all.")
        return self._ask(lambda: self._admin.update_user_by_id(user.id, attributes).user)  # type: ignore[arg-type]  # as above

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        try:
            return request()
        except AuthRetryableError as problem:
            raise ServiceUnavailable(f"{self._url} does not answer: {problem.message}.") from problem
        except AuthApiError as problem:
            raise _meaning(problem) from problem
        except AuthError as problem:
            raise ServiceUnavailable(f"{self._url}: {problem.message}") from problem


def _meaning(problem: AuthApiError) -> TidemarkError:
    if problem.status in (401, 403):
        return ConfigurationError(f"The project refused the secret key: {problem.message}. Check SUPABASE_SECRET_KEY.")
    return InvalidInput(detail=f"{problem.message} (code: {problem.code})")
