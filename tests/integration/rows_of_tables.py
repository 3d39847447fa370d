"""One row of each exposed table, as its owner would have it. A table that is missing here fails the isolation tests."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

Row = Mapping[str, object]

# No rule lets them in: the time of what was predicted has not come. They are put there with the rules set aside.
AHEAD_OF_TIME = frozenset({"prediction_outcomes"})
# Whose column tells whose row it is, where it is not `user_id`; nobody reads these, not even who they are about.
CLOSED: Mapping[str, str] = {"audit_log": "subject_id"}
_SOON = datetime.now(UTC) + timedelta(hours=1)

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
    "tasks": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "kind": "backtest",
        "payload": "{}",
        "cores": 1,
        "memory_bytes": 1,
        "max_attempts": 1,
        "wall_limit_seconds": 1,
    },
    "backtests": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "kind": "backtest",
        "config": '{"strategy": "sma_cross", "series": [{"provider": "demo", "timeframe": "1h", "symbol": "A"}]}',
        "name": "Mine",
    },
    "backtest_parts": lambda user_id: {
        "user_id": user_id,
        "backtest_id": user_id,
        "name": "trades",
        "part": 0,
        "first_row": 0,
        "rows": 1,
        "content": b"PAR1",
    },
    "backtest_presets": lambda user_id: {"id": user_id, "user_id": user_id, "name": "Mine", "form": "{}"},
    "models": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "name": "Mine",
        "provider": "demo",
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "adjustment": "raw",
        "spec": '{"label": "direction", "horizon": 12}',
        "question": "direction:12",
    },
    "predictions": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "model_id": user_id,
        "as_of": _SOON,
        "entry_at": _SOON,
        "due_at": _SOON + timedelta(hours=12),
        "horizon": 12,
        "probability_up": 0.5,
        "level": 0.9,
        "is_trusted": False,
        "reasons": "[]",
        "model_age_bars": 0,
        "contributions": "[]",
    },
    "prediction_outcomes": lambda user_id: {
        "user_id": user_id,
        "prediction_id": user_id,
        "realised_return": 0.0,
        "went_up": False,
        "log_loss": 0.7,
    },
    "series": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "provider": "import",
        "symbol": "MINE",
        "timeframe": "1d",
        "adjustment": "raw",
    },
    "strategies": lambda user_id: {"id": user_id, "user_id": user_id, "name": "Mine"},
    "strategy_versions": lambda user_id: {"user_id": user_id, "strategy_id": user_id, "version": 1, "rules": "{}"},
    "personal_access_tokens": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "name": "Script",
        "digest": user_id.bytes * 2,
        "hint": "tdm_aaaa...bbbb",
        "scopes": ["read"],
        "expires_at": datetime.now(UTC) + timedelta(days=30),
    },
    "api_keys": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "provider": "crypto:binance",
        "label": "Mine",
        "hint": "aaaa...bbbb",
        "permissions": ["read"],
        "health": '{"state": "works", "detail": "It works."}',
        "master": "0" * 16,
        "locked": bytes(100),
    },
    "api_key_audit_log": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "action": "create",
        "actor": "user",
        "reason": "By its owner.",
    },
    "audit_log": lambda user_id: {
        "id": user_id,
        "actor": "operator",
        "action": "user.promote",
        "subject_id": user_id,
    },
    "shares": lambda user_id: {
        "id": user_id,
        "user_id": user_id,
        "backtest_id": user_id,
        "digest": user_id.bytes * 2,
        "title": "A run",
        "expires_at": datetime.now(UTC) + timedelta(days=30),
    },
    # The row is there already: adding the task wrote it.
    "task_events": lambda user_id: {"user_id": user_id, "id": 1, "type": "task_queued", "task": "{}"},
}
