"""What OpenAPI says about answers: examples of each, and every error that an operation can give."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api import errors as edge
from backend.api.errors import MEDIA_TYPE, problem_body, status_of
from backend.api.scopes import MARK, Reach, sentence
from backend.domain import errors as domain
from backend.domain.errors import InputError, TidemarkError

Responses = dict[int | str, dict[str, Any]]

EXAMPLE_REQUEST_ID = "9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e"
ALWAYS: tuple[TidemarkError, ...] = (domain.RateLimited(12), edge.UnknownHost(), TidemarkError())
SIGNED_IN: tuple[TidemarkError, ...] = (
    domain.NotSignedIn(),
    domain.TokenRejected("it has expired"),
    domain.AccountSuspended(),
    domain.DatabaseUnavailable(),
    domain.InvalidInput(
        [InputError(pointer="/query/symbl", detail="There is no parameter 'symbl'. Did you mean 'symbol'?")]
    ),
)
WITH_BODY: tuple[TidemarkError, ...] = (
    edge.MalformedBody("The body is not valid JSON: Expecting value at character 1."),
    domain.BodyTooLarge(1024 * 1024),
)


class ProblemError(BaseModel):
    """One thing wrong with the input."""

    pointer: str = Field(description="Where: a JSON pointer into the body, else below /query, /path or /header.")
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Where this kind of error is explained.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="The kind of error, for programs.")
    request_id: str = Field(description="Name it when you ask for help.")
    errors: list[ProblemError]


def invalid(pointer: str, detail: str) -> domain.InvalidInput:
    return domain.InvalidInput([InputError(pointer=pointer, detail=detail)])


def problems(path: str, *found: TidemarkError) -> Responses:
    """The responses of an operation that can fail like this, with an example each."""
    responses: Responses = {}
    for error in (*found, *ALWAYS):
        errors = error.errors if isinstance(error, domain.InvalidInput) else ()
        example = problem_body(
            type(error), detail=error.detail, instance=path, request_id=EXAMPLE_REQUEST_ID, errors=errors
        )
        response = responses.setdefault(
            status_of(type(error)),
            {"model": Problem, "description": error.title, "content": {MEDIA_TYPE: {"examples": {}}}},
        )
        response["content"][MEDIA_TYPE]["examples"][error.code] = {"summary": error.title, "value": example}
    return responses


def shows(model: type[BaseModel], example: BaseModel, description: str, *headers: str, status: int = 200) -> Responses:
    """The response of success, with its example and the headers that matter."""
    return {
        status: {
            "model": model,
            "description": description,
            "content": {"application/json": {"example": example.model_dump(mode="json")}},
            "headers": {name: HEADERS[name] for name in headers},
        }
    }


def takes(example: dict[str, Any]) -> dict[str, Any]:
    """The body of a request, by its example."""
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


HEADERS: dict[str, dict[str, Any]] = {
    name: {"description": description, "schema": {"type": "string"}}
    for name, description in {
        "ETag": "The version of this answer, for If-None-Match and If-Match.",
        "Link": 'The next page, as `rel="next"`.',
        "Location": "Where the thing can be read.",
        "Idempotency-Replayed": "`true` when this answer was given before.",
    }.items()
}
NOT_MODIFIED: Responses = {
    304: {"description": "The caller holds the current version.", "headers": {"ETag": HEADERS["ETag"]}}
}


def tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Say of problems what is true: their media type, and ours in place of the framework's own error shapes."""
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _say_reach(path, operation)
            # Announced by the framework for every parameter, also for those that cannot be wrong.
            if "HTTPValidationError" in str(operation["responses"].get("422", {})):
                del operation["responses"]["422"]
            for response in operation["responses"].values():
                content = response.get("content", {})
                if MEDIA_TYPE in content:
                    content.pop("application/json", None)
                    content[MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    return schema


def _say_reach(path: str, operation: dict[str, Any]) -> None:
    """What tokens may do here, and how those that may not are refused."""
    reach = Reach(operation.get(MARK, Reach.SESSION))
    if reach is Reach.OPEN:
        return
    operation["description"] = f"{operation['description']}\n\n{sentence(reach)}"
    is_closed = reach in (Reach.SESSION, Reach.ADMIN)
    error = domain.SessionNeeded() if is_closed else domain.ScopeMissing(reach)
    example = problem_body(type(error), detail=error.detail, instance=path, request_id=EXAMPLE_REQUEST_ID)
    value = example if is_closed else {**example, "scope": reach.value}
    refused = operation["responses"]["403"]["content"][MEDIA_TYPE]["examples"]
    refused[error.code] = {"summary": error.title, "value": value}
    if reach is Reach.ADMIN:
        needed = domain.AdminNeeded()
        body = problem_body(type(needed), detail=needed.detail, instance=path, request_id=EXAMPLE_REQUEST_ID)
        refused[needed.code] = {"summary": needed.title, "value": body}
