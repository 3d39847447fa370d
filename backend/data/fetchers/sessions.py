"""HTTP sessions for the vendors' libraries: whole answers within the time of the try, their bytes counted, and statuses
turned into what they mean, before a library can retry, sleep or wrap them by itself.

Imported only when a vendor is first used: both libraries take a while.
"""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from curl_cffi import CurlOpt
from curl_cffi import requests as curl

from backend.data.fetchers.reading import Denied, Failed, Outcome, Rejected, Try, current_try

MOST_BYTES = 64 * 2**20
_CHUNK = 65_536


class _Watched(urllib3.connection.HTTPConnection):
    """A connection that ends with the try: the library's time limit begins anew with every byte of a header."""

    def getresponse(self) -> Any:
        attempt, connected = current_try(), self.sock

        def hang_up() -> None:
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

        attempt.hang_up = hang_up
        attempt.seconds_left()
        return super().getresponse()


class _WatchedHTTPS(_Watched, urllib3.connection.HTTPSConnection):
    pass


class _HTTP(urllib3.HTTPConnectionPool):
    ConnectionCls = _Watched


class _HTTPS(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTP, "https": _HTTPS}


class PatientSession(requests.Session):
    """For libraries over `requests`, whose own time limit is one for each packet."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        attempt = current_try()
        try:
            response = super().send(request, **{**kwargs, "timeout": attempt.seconds_left(), "stream": True})
            if response.raw is not None and not response._content_consumed:
                response._content = _whole(response, attempt)
                response._content_consumed = True
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise attempt.timed_out() from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error) from error
        finally:
            attempt.hang_up = None  # the connection may serve another now
        self.hear(response.headers)
        attempt.vendor_time = told_time(response.headers)
        judge(response.status_code, response.headers)
        return response

    def hear(self, headers: Mapping[str, str]) -> None:
        """What came with an answer, also with a refusal; for those who want to know."""


class BrowserSession(curl.Session[Any]):
    """For Yahoo, who only answers what looks like a browser. `base_url` sends all requests to another server."""

    def __init__(self, *, base_url: str | None = None) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.MAXFILESIZE_LARGE: MOST_BYTES})
        self._base_url = base_url

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        attempt = current_try()
        if "/finance/" not in url:
            # The dance for a cookie and a crumb may fail, and the library goes on without; it gets a part of the time.
            return self._sent(method, url, attempt, *args, **{**kwargs, "timeout": attempt.seconds_left() / 4})
        try:
            response = self._sent(method, url, attempt, *args, **{**kwargs, "timeout": attempt.seconds_left()})
        except curl.exceptions.Timeout as error:
            raise attempt.timed_out() from error
        except curl.exceptions.RequestException as error:
            raise _unreachable(error) from error
        # With another cookie and crumb a 401 may pass; the library would take any other error for a lack of them, too.
        if response.status_code != 401:
            judge(response.status_code, response.headers)
            if response.status_code >= 400:
                raise Rejected(response.status_code, response.text)
        return response

    def _sent(self, method: Any, url: str, attempt: Try, *args: Any, **kwargs: Any) -> Any:
        response = super().request(method, self._moved(url), *args, **kwargs)
        attempt.received_bytes += len(response.content)
        attempt.vendor_time = told_time(response.headers)
        return response

    def _moved(self, url: str) -> str:
        if self._base_url is None:
            return url
        parts = urlsplit(url)
        return self._base_url + urlunsplit(("", "", parts.path or "/", parts.query, ""))


def judge(status: int, headers: Mapping[str, Any]) -> None:
    """Raises what a status means; those that depend on the vendor are left to its library."""
    wait = retry_after_seconds(headers)
    if status in (418, 429):
        wait = wait if wait is not None else _reset_seconds(headers)
        raise Failed(Outcome.BUSY, f"limits us (HTTP {status})", retry_after_seconds=wait)
    if status == 408 or status >= 500:
        raise Failed(Outcome.DOWN, f"answered HTTP {status}", retry_after_seconds=wait)
    if status in (401, 402, 403, 451):
        raise Denied(f"refused (HTTP {status})")


def told_time(headers: Mapping[str, Any]) -> datetime | None:
    """When the vendor says that it answered; what lay in a cache on the way is older by its age."""
    age = str(headers.get("age") or "")
    try:
        told = parsedate_to_datetime(str(headers.get("date") or "")).astimezone(UTC)
        return told + timedelta(seconds=int(age) if age.isdecimal() else 0)
    except (ValueError, OverflowError):
        return None


def retry_after_seconds(headers: Mapping[str, Any]) -> float | None:
    """What the vendor asks for, in seconds or as a date."""
    asked = str(headers.get("retry-after") or "")
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None


def _reset_seconds(headers: Mapping[str, Any]) -> float | None:
    """Alpaca tells the moment when its counter begins anew, with every answer."""
    reset = str(headers.get("x-ratelimit-reset") or "")
    return max(0.0, int(reset) - time.time()) if reset.isdigit() else None


def _whole(response: requests.Response, attempt: Try) -> bytes:
    """The body, read piece by piece, so that one that drips runs into the time limit."""
    parts: list[bytes] = []
    try:
        while part := response.raw.read1(_CHUNK, decode_content=True):
            attempt.received_bytes += len(part)
            attempt.seconds_left()
            if attempt.received_bytes > MOST_BYTES:
                raise Failed(Outcome.GARBAGE, f"sent more than {MOST_BYTES:,} bytes")
            parts.append(part)
    except BaseException:
        response.close()
        raise
    response.raw.release_conn()
    return b"".join(parts)


def _unreachable(error: Exception) -> Failed:
    return Failed(Outcome.DOWN, f"could not be reached, or broke off ({type(error).__name__})")
