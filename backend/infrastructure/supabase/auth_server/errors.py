"""Errors as Supabase Auth words them, in the format that the caller's API version asks for."""

import re
from collections.abc import Sequence
from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

API_VERSION_HEADER = "X-Supabase-Api-Version"
API_VERSION = "2024-01-01"

# What the fragment of a failed link calls the error.
OAUTH_ERRORS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "invalid_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized_client",
    HTTPStatus.FORBIDDEN: "access_denied",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
}


class AuthError(Exception):
    """An answer other than success: a status, a code for programs and a message for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        weak_password: Sequence[str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.weak_password = tuple(weak_password)
        self.headers = headers or {}

    def response(self, connection: HTTPConnection) -> JSONResponse:
        body: dict[str, Any]
        headers = {"x-sb-error-code": self.code, **self.headers}
        if speaks_2024(connection):
            body = {"code": self.code, "message": self.message}
            headers[API_VERSION_HEADER] = API_VERSION
        else:
            body = {"code": self.status, "error_code": self.code, "msg": self.message}
            if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                body["error_id"] = str(uuid4())
        if self.weak_password:
            body["weak_password"] = {"reasons": list(self.weak_password)}
        return JSONResponse(body, status_code=self.status, headers=headers)


def speaks_2024(connection: HTTPConnection) -> bool:
    """Whether the caller understands the format of 2024-01-01, or of any later version."""
    asked_for = connection.headers.get(API_VERSION_HEADER, "")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", asked_for, re.ASCII):
        return False
    try:
        return date.fromisoformat(asked_for) >= date.fromisoformat(API_VERSION)
    except ValueError:
        return False


def invalid(message: str, status: int = HTTPStatus.BAD_REQUEST) -> AuthError:
    return AuthError(status, "validation_failed", message)


def bad_json(reason: str) -> AuthError:
    return AuthError(HTTPStatus.BAD_REQUEST, "bad_json", f"Could not parse request body as JSON: {reason}")


def invalid_credentials() -> AuthError:
    return AuthError(HTTPStatus.BAD_REQUEST, "invalid_credentials", "Invalid login credentials")


def email_exists() -> AuthError:
    return AuthError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "email_exists",
        "A user with this email address has already been registered",
    )


def user_not_found(message: str = "User not found") -> AuthError:
    return AuthError(HTTPStatus.NOT_FOUND, "user_not_found", message)


def banned() -> AuthError:
    return AuthError(HTTPStatus.FORBIDDEN, "user_banned", "User is banned")


def otp_expired(message: str = "Token has expired or is invalid") -> AuthError:
    return AuthError(HTTPStatus.FORBIDDEN, "otp_expired", message)


def too_many_requests(retry_after_seconds: int) -> AuthError:
    return AuthError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "over_request_rate_limit",
        "Request rate limit reached",
        headers={"Retry-After": str(retry_after_seconds)},
    )


def too_many_mails(message: str, retry_after_seconds: int) -> AuthError:
    return AuthError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "over_email_send_rate_limit",
        message,
        headers={"Retry-After": str(retry_after_seconds)},
    )


def unexpected() -> AuthError:
    return AuthError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "unexpected_failure",
        "Unexpected failure, please check server logs for more information",
    )


def database_away() -> AuthError:
    return AuthError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unexpected_failure",
        "The database does not answer, please try again",
        headers={"Retry-After": "2"},
    )
