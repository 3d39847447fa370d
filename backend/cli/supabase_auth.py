"""Signing in and out with Supabase Auth, at the server itself or in the project that the server names."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from backend.cli.failures import CommandFailed, ExitCode, document_of, not_tidemark, retry_after, unreachable

if TYPE_CHECKING:
    import httpx

API_VERSION = "2024-01-01"
# What the auth server calls it, and what to do about it; the web app says the same.
WORDS = {
    "invalid_credentials": "Email or password is wrong. Check both, or reset the password in the web app.",
    "email_not_confirmed": "This email is not confirmed yet. Open the link in the message that was sent to it.",
    "email_provider_disabled": "Sign-in by email is switched off here. Ask whoever runs this installation.",
    "user_banned": "This account is suspended. Ask whoever runs this installation.",
    "over_request_rate_limit": "Too many attempts from this address.",
    "captcha_failed": "This installation asks for a captcha, which a terminal cannot show.",
    "validation_failed": "This is no email address and password; an address looks like ada@example.com.",
}
# What it answers to a refresh token of a session that was signed out, or that ran out.
SESSION_ENDED = frozenset(
    {
        "refresh_token_not_found",
        "refresh_token_already_used",
        "session_not_found",
        "session_expired",
        "user_not_found",
        "validation_failed",
    }
)


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a sign-in gives: a token to show for an hour, and one to get the next with, good for a single use."""

    email: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lives_seconds: float
    has_second_factor: bool = False


class SupabaseAuth:
    """The few calls of Supabase Auth that a terminal needs."""

    def __init__(self, client: "httpx.Client", url: str, publishable_key: str) -> None:
        self.url, self.publishable_key = url, publishable_key
        self._client = client

    def sign_in(self, email: str, password: str) -> Session:
        answer = self._ask("/token?grant_type=password", {"email": email, "password": password})
        return self._session(answer)

    def renew(self, refresh_token: str) -> Session:
        try:
            return self._session(self._ask("/token?grant_type=refresh_token", {"refresh_token": refresh_token}))
        except CommandFailed as problem:
            if problem.is_passing or problem.code not in SESSION_ENDED:
                raise
            raise session_ended(problem.code) from problem

    def sign_out(self, access_token: str) -> None:
        """This session alone; the person's other devices stay signed in."""
        self._ask("/logout?scope=local", None, token=access_token)

    def _ask(self, path: str, body: dict[str, str] | None, *, token: str | None = None) -> "httpx.Response":
        import httpx

        headers = {"apikey": self.publishable_key, "X-Supabase-Api-Version": API_VERSION}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._client.post(f"{self.url}/auth/v1{path}", json=body, headers=headers)
        except httpx.HTTPError as problem:
            raise unreachable(self.url, problem) from problem
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _session(self, answer: "httpx.Response") -> Session:
        try:
            said = answer.json()
            user = said["user"]
            return Session(
                email=user["email"] or "(demo user)",
                access_token=said["access_token"],
                refresh_token=said["refresh_token"],
                lives_seconds=float(said["expires_in"]),
                has_second_factor=any(factor["status"] == "verified" for factor in user.get("factors") or ()),
            )
        except (ValueError, KeyError, TypeError) as problem:
            raise not_tidemark(self.url) from problem

    def _refused(self, answer: "httpx.Response") -> CommandFailed:
        said = document_of(answer)
        code = str(said.get("error_code") or said.get("code") or f"http_{answer.status_code}")
        message = str(said.get("message") or said.get("msg") or f"It answered {answer.status_code}").rstrip(".")
        wait = retry_after(answer)
        detail = WORDS.get(code, f"Supabase Auth says: {message}.")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            detail += f" Try again in {wait:.0f} s." if wait is not None else " Try again in a few minutes."
        is_passing = answer.status_code in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS) or (
            answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
        return CommandFailed(
            code,
            "Signing in did not work" if not is_passing else "Sign-ins cannot be checked right now",
            detail if code in WORDS or not is_passing else f"{detail} Try again.",
            exit_code=ExitCode.FAILURE if is_passing else ExitCode.CREDENTIALS,
            is_passing=is_passing,
            retry_after=wait,
        )


def session_ended(code: str) -> CommandFailed:
    return CommandFailed(
        code,
        "Your session has ended",
        "It ran out, or it was signed out elsewhere. Run `tidemark login` to begin another.",
        exit_code=ExitCode.CREDENTIALS,
    )
