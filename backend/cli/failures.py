"""Why a command against a server failed, in words: the cause, the code that the API gives it, and the next step."""

from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from backend.version import VERSION

if TYPE_CHECKING:
    import httpx


class ExitCode(IntEnum):
    """How a command ends; docs/operations.md lists all of them."""

    FAILURE = 1
    USAGE = 2
    CREDENTIALS = 3
    DATA_MISSING = 4
    VENDOR = 5
    GATE_UNMET = 6


# By the status of the answer; whatever is not here is a plain failure.
EXIT_CODES = {401: ExitCode.CREDENTIALS, 403: ExitCode.CREDENTIALS, 404: ExitCode.DATA_MISSING}
# What the answer itself does not say: which command helps.
NEXT_STEPS = {
    "job_not_found": "`tidemark tasks list` shows yours.",
    "token_not_found": "`tidemark tokens list` shows yours.",
    "session_needed": "Run `tidemark login` with your email and password, with TIDEMARK_TOKEN unset.",
    "no_such_path": "Is it a Tidemark of the same version? `curl SERVER/api/config` tells which one it is.",
}


class CommandFailed(Exception):
    """Said in one paragraph, without a traceback. `is_passing`: the same may well succeed in a moment."""

    def __init__(
        self,
        code: str,
        title: str,
        detail: str,
        *,
        exit_code: ExitCode = ExitCode.FAILURE,
        is_passing: bool = False,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.title, self.detail = code, title, detail
        self.exit_code = exit_code
        self.is_passing = is_passing
        self.retry_after = retry_after
        self.request_id = request_id

    @property
    def words(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.title.rstrip('.')}.\n{self.detail}\n(code: {self.code}{request})"


def exit_code_of(problem: Exception) -> ExitCode:
    """How a command ends that met this on this machine; docs/operations.md lists the same."""
    from backend.domain import errors, market_errors, model_errors, strategy_errors
    from backend.domain.backtest_errors import BadSignals

    table: list[tuple[type[Exception], ExitCode]] = [
        (BadSignals, ExitCode.FAILURE),
        (strategy_errors.NotEnoughHistory, ExitCode.DATA_MISSING),
        (model_errors.TooFewBars, ExitCode.DATA_MISSING),
        (model_errors.NothingToLearn, ExitCode.FAILURE),
        (strategy_errors.NoSuchMarket, ExitCode.DATA_MISSING),
        (strategy_errors.UnknownStrategy, ExitCode.USAGE),
        (errors.InvalidInput, ExitCode.USAGE),
        (errors.NotFound, ExitCode.DATA_MISSING),
        (errors.ConfigurationError, ExitCode.CREDENTIALS),
        (market_errors.UnknownMarketData, ExitCode.DATA_MISSING),
        (market_errors.NotServed, ExitCode.DATA_MISSING),
        (market_errors.SeriesDamaged, ExitCode.DATA_MISSING),
        (market_errors.VendorError, ExitCode.VENDOR),
    ]
    return next((code for kind, code in table if isinstance(problem, kind)), ExitCode.FAILURE)


def unreachable(server: str, problem: "httpx.HTTPError") -> CommandFailed:
    """No answer came: the way there is broken, or nobody is at its end."""
    import socket
    import ssl

    import httpx

    causes = tuple(_causes(problem))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _bad_certificate(server, cause.verify_message)
        if isinstance(cause, ssl.SSLError) and server.startswith("https:"):
            return CommandFailed(
                "tls_failed",
                f"{server} does not speak TLS as we do",
                f"{cause.reason or cause}. If it is a plain server, its address begins with http://.",
                exit_code=ExitCode.CREDENTIALS,
            )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        reason = "No machine of that name is known. Check the address and your network."
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        reason = "Nothing answers there. Check that it is running; `tidemark status` names the one of this machine."
    elif isinstance(problem, httpx.TimeoutException):
        reason = "It did not answer in time. Try again."
    else:
        reason = f"The connection broke off: {problem or type(problem).__name__}. Try again."
    return CommandFailed("server_unreachable", f"{server} cannot be reached", reason, is_passing=True)


def refused(server: str, answer: "httpx.Response", *, remedy: str | None = None) -> CommandFailed:
    """An answer other than success. `remedy` is what to do when the caller was not believed."""
    said = document_of(answer)
    if not isinstance(said.get("code"), str) or not isinstance(said.get("detail"), str):
        return _foreign(server, answer)
    status, code = answer.status_code, said["code"]
    step = remedy if status == HTTPStatus.UNAUTHORIZED and remedy else NEXT_STEPS.get(code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE:
        step = "Whoever runs the installation finds it in the log by the request below."
    points = [f"{found.get('pointer')}: {found.get('detail')}" for found in said.get("errors") or ()]
    detail, wait = said["detail"], retry_after(answer)
    return CommandFailed(
        code,
        str(said.get("title") or answer.reason_phrase),
        "\n".join([detail, *(points if len(points) > 1 else ()), *([step] if step else ()), *_when(wait, detail)]),
        exit_code=EXIT_CODES.get(status, ExitCode.FAILURE),
        is_passing=_is_passing(status, wait),
        retry_after=wait,
        request_id=said.get("request_id") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
    )


def not_tidemark(server: str) -> CommandFailed:
    return CommandFailed(
        "not_tidemark",
        f"{server} is not a Tidemark",
        "Something answers there, but not as Tidemark does. Check the address.",
        exit_code=ExitCode.CREDENTIALS,
    )


def not_understood(server: str, problem: Exception) -> CommandFailed:
    """A Tidemark's answer that lacks what we read in it, or has it in another form."""
    return CommandFailed(
        "answer_not_understood",
        f"This command does not understand what {server} answered",
        f"Its version is {VERSION}; the server's may be another. TIDEMARK_LOG_LEVEL=debug shows where it stopped: "
        f"{type(problem).__name__}: {problem}",
    )


def retry_after(answer: "httpx.Response") -> float | None:
    """The seconds that the answer asks to wait; a date, which the header may be as well, counts as none."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def document_of(answer: "httpx.Response") -> dict[str, Any]:
    """The JSON object that an answer holds; empty when it is something else."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _foreign(server: str, answer: "httpx.Response") -> CommandFailed:
    """Not Tidemark's words: a proxy on the way speaks, or another program."""
    status = answer.status_code
    if answer.is_redirect:
        target = answer.headers.get("Location", "another address")
        return CommandFailed(
            "server_moved",
            f"{server} sends its callers elsewhere",
            f"It points to {target}. Name the address that it points to with --server.",
            exit_code=ExitCode.CREDENTIALS,
        )
    if answer.is_success or status == HTTPStatus.NOT_FOUND:
        return not_tidemark(server)
    phrase = answer.reason_phrase or "without a reason"
    wait = retry_after(answer)
    who = "Something on the way there, a proxy for example, or Tidemark itself is not well."
    return CommandFailed(
        f"http_{status}",
        f"{server} answered {status} {phrase}",
        " ".join([who if status >= 500 else "It gave no reason.", *(_when(wait, "") or ["Try again."])]),
        exit_code=EXIT_CODES.get(status, ExitCode.FAILURE),
        is_passing=_is_passing(status, wait),
        retry_after=wait,
    )


def _bad_certificate(server: str, reason: str) -> CommandFailed:
    return CommandFailed(
        "certificate_refused",
        f"The certificate of {server} is not accepted",
        f"{reason[:1].upper()}{reason[1:].rstrip('.')}. Check the address; where an authority of your own signed the"
        " certificate, name the file with that authority's certificate in SSL_CERT_FILE.",
        exit_code=ExitCode.CREDENTIALS,
    )


def _is_passing(status: int, wait: float | None) -> bool:
    """A quota is a 429 without a time to wait: it does not pass by itself."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or (status == HTTPStatus.TOO_MANY_REQUESTS and wait is not None)


def _when(wait: float | None, detail: str) -> list[str]:
    return [f"Try again in {wait:.0f} s."] if wait is not None and "Try again in" not in detail else []


def _causes(problem: BaseException | None) -> "list[BaseException]":
    """The error and all that led to it; an attempt at several addresses is a group of errors."""
    found: list[BaseException] = []
    while problem is not None and problem not in found:
        found.append(problem)
        if isinstance(problem, BaseExceptionGroup):
            found.extend(problem.exceptions)
        problem = problem.__cause__ or problem.__context__
    return found
