"""docs/reference/api.md: every operation of the HTTP API, as its OpenAPI document knows it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from backend.api.app import describe_api
from backend.api.scopes import MARK
from scripts.references.writing import cell, table

HEAD = """\
# HTTP API

The same as the document that a running Tidemark serves at `/api/openapi.json`. How to sign in, page, edit and try again
is told once in [use the API](../how-to/use-the-api.md). Every answer that is no success is a problem
(`application/problem+json`) with `code`, `detail`, `request_id` and, where a field is wrong, `errors` that point at it.

Any operation may answer `rate_limited` (429), `unknown_host` (421), `internal_error` (500) and, while Postgres is away,
`database_unavailable` (503); one that is not open also `not_signed_in`, `token_rejected` (401) and `account_suspended`
(403). Only other refusals are named. A name with a star is needed.

What lets a request in stands beside each operation: **open** to everybody, a **session** alone, or a session and
personal access tokens with that scope.
"""
EVERYWHERE = {
    "rate_limited",
    "unknown_host",
    "internal_error",
    "database_unavailable",
    "not_signed_in",
    "token_rejected",
    "account_suspended",
}
TOKENS = {"open": "open", "session": "session", "admin": "session of an administrator"}


def page() -> str:
    document = describe_api().openapi()
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["Other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method.upper(), operation, document))
    return "\n".join(
        [HEAD, *(part for tag, ones in by_tag.items() for part in (f"## {tag}\n", *ones)), *_shapes(document)]
    )


def _operation(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    scope = str(operation.get(MARK, "open"))
    parts = [
        f"### {method} {path}",
        "",
        f"{operation['summary']}. Lets in: {TOKENS.get(scope, f'scope `{scope}`')}.",
        "",
    ]
    words = str(operation.get("description", "")).split("\n\n")[0]
    parts += [" ".join(words.split()), ""] if words else []
    asked = [_parameter(one) for one in operation.get("parameters", [])] + list(_body(operation, document))
    parts += [table(("name", "in", "kind", "meaning"), asked), ""] if asked else []
    return "\n".join([*parts, *_answers(operation), ""])


def _parameter(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    schema = one.get("schema", {})
    name = f"`{one['name']}`" + (" *" if one.get("required") and one["in"] != "path" else "")
    return name, one["in"], _kind(schema), cell(one.get("description", schema.get("description", "")))


def _body(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    for kind, one in content.items():
        schema = _resolved(one.get("schema", {}), document)
        if "json" not in kind or "properties" not in schema:
            yield "the body", "body", f"`{kind}`", cell(schema.get("description", ""))
            continue
        needed = schema.get("required", [])
        for name, field in schema["properties"].items():
            words = field.get("description") or _resolved(field, document).get("description", "")
            yield f"`{name}`" + (" *" if name in needed else ""), "body", _kind(field), cell(words.split("\n\n")[0])


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    good = {status: one for status, one in operation["responses"].items() if int(status) < 400}
    yield "Answers " + "; ".join(f"{status}: {cell(one.get('description', ''))}" for status, one in good.items())
    refusals = {
        status: [code for code in _codes(one) if code not in EVERYWHERE]
        for status, one in sorted(operation["responses"].items())
        if status not in good
    }
    told = "; ".join(
        f"{status} {', '.join(f'`{code}`' for code in codes)}" for status, codes in refusals.items() if codes
    )
    if told:
        yield ""
        yield f"Refuses with {told}."


def _codes(answer: Mapping[str, Any]) -> list[str]:
    examples = (one for content in answer.get("content", {}).values() for one in content.get("examples", {}).values())
    values = (one.get("value") for one in examples)
    return list(dict.fromkeys(value["code"] for value in values if isinstance(value, dict) and "code" in value))


def _shapes(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## Shapes\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        words = str(schema.get("description", "")).split("\n\n")[0]
        fields = schema.get("properties", {})
        parts = [f"### {name}", "", *([" ".join(words.split()), ""] if words else [])]
        if "enum" in schema:
            parts += [f"One of {_kind(schema)}.", ""]
        if fields:
            parts += [table(("name", "kind", "meaning"), [_field(one, fields[one], schema) for one in fields]), ""]
        yield "\n".join(parts)


def _field(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, str, str]:
    star = " *" if name in schema.get("required", []) else ""
    return f"`{name}`{star}", _kind(field), cell(field.get("description", ""))


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][str(schema["$ref"]).rpartition("/")[2]]
    return found
