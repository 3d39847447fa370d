"""What the edge knows about one request while it is answered."""

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from backend.domain.ports import Allowance

_KEY = "tidemark.request"
UNMATCHED = "unmatched"


@dataclass(kw_only=True)
class RequestContext:
    """Made at the edge, filled in on the way through; `facts` are written on every line that the request logs."""

    request_id: str
    facts: dict[str, Any] = field(default_factory=dict)
    # The template that metrics count this request under, never the path itself.
    route: str = UNMATCHED
    allowance: Allowance | None = None

    def allow(self, allowance: Allowance) -> None:
        """Remember the rate limit that leaves the least."""
        if self.allowance is None or not allowance.is_allowed or allowance.remaining < self.allowance.remaining:
            self.allowance = allowance


def remember(scope: Scope, context: RequestContext) -> None:
    scope[_KEY] = context


def context_of(scope: Scope) -> RequestContext:
    context = scope.get(_KEY)
    if not isinstance(context, RequestContext):
        context = RequestContext(request_id="-")
        remember(scope, context)
    return context


def client_address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def known_address(scope: Scope) -> str | None:
    """The same for the audit log; None where it is no address, as behind a socket of the file system."""
    address = client_address(scope)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return address
