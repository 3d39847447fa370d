"""Which answers name a thing, and which operations take its name: OpenAPI's links, for programs to go on by."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

# By operation: which member of its answer is which parameter of others.
GIVES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "create_my_token": {"id": "token_id"},
        "add_exchange_key": {"id": "key_id"},
        "run_backtest": {"id": "backtest_id"},
        "replay_backtest": {"id": "backtest_id"},
        "guard_backtest": {"id": "backtest_id"},
        "sweep_backtests": {"id": "backtest_id"},
        "optimize_backtests": {"id": "backtest_id"},
        "walk_forward_backtests": {"id": "backtest_id"},
        "keep_backtest_preset": {"id": "preset_id"},
        "retry_my_task": {"id": "task_id"},
        "create_share": {"id": "share", "token": "share"},
        "fetch_bars": {"task_id": "task_id", "series_id": "series_id"},
        "repair_series": {"task_id": "task_id", "series_id": "series_id"},
        "import_file": {"task_id": "task_id", "series_id": "series_id"},
        "train_model": {"id": "model_id"},
        "predict": {"id": "model_id"},
        "save_strategy": {"name": "name"},
    }
)
# Its owner ends it by its id; whoever has the link reads by the token.
_BY_MEMBER = MappingProxyType({("share", "id"): ("delete",), ("share", "token"): ("get",)})
_MADE = ("200", "201", "202")


def link(schema: dict[str, Any]) -> dict[str, Any]:
    """Adds the links to the document."""
    links = schema["components"].setdefault("links", {})
    for operation in _operations(schema):
        for member, parameter in GIVES.get(operation["operationId"], {}).items():
            made = _response(operation, member, schema)
            for method, target in _takers(schema, parameter):
                if method not in _BY_MEMBER.get((parameter, member), (method,)):
                    continue
                name = f"{target}_by_{member}"
                links[name] = {
                    "operationId": target,
                    "parameters": {parameter: f"$response.body#/{member}"},
                    "description": f"The `{member}` of this answer is its `{parameter}`.",
                }
                made.setdefault("links", {})[name] = {"$ref": f"#/components/links/{name}"}
    return schema


def _operations(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in schema["paths"].values():
        yield from operations.values()


def _response(operation: Mapping[str, Any], member: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that has this member: that of making, where the operation may also find what there is."""
    for status in reversed(_MADE):
        response: dict[str, Any] = operation["responses"].get(status, {})
        reference = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
        shape = schema["components"]["schemas"].get(reference.rpartition("/")[2], {})
        if member in shape.get("properties", {}):
            return response
    raise LookupError(f"{operation['operationId']} gives no '{member}'")


def _takers(schema: Mapping[str, Any], parameter: str) -> Iterator[tuple[str, str]]:
    """By method and id, the operations that have this parameter in their path or query."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] in ("path", "query")}
            # A name may stand for many things; in a path after a collection it is that of the collection.
            if parameter in named and (parameter != "name" or path.startswith("/api/strategies/")):
                yield method, operation["operationId"]
