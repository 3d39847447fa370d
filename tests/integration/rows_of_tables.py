"""One row of each exposed table, as its owner would have it. A table that is missing here fails the isolation tests."""

from collections.abc import Callable, Mapping
from uuid import UUID

Row = Mapping[str, object]

ROWS: Mapping[str, Callable[[UUID], Row]] = {
    # The row is there already: it comes with the account.
    "profiles": lambda user_id: {"user_id": user_id, "display_name": "Somebody"},
    "idempotency_keys": lambda user_id: {
        "user_id": user_id,
        "key": f"key-of-{user_id}",
        "method": "PATCH",
        "path": "/api/me",
        "body_hash": "0" * 64,
    },
}
