"""What a caller gave that cannot be used, in words."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

    from backend.domain.errors import InvalidInput


def refused(pointer: str, detail: str) -> "InvalidInput":
    from backend.domain.errors import InputError, InvalidInput

    return InvalidInput([InputError(pointer=pointer, detail=detail)], detail)


def refused_by(problem: "ValidationError", unknown: Callable[[str], str] | None = None) -> "InvalidInput":
    """Names each part that cannot be used; of a name that there is not, what `unknown` says."""
    from backend.domain.errors import InputError, InvalidInput

    found = []
    for error in problem.errors(include_url=False):
        said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
        name = "/".join(str(part) for part in error["loc"])
        if unknown is not None and error["type"] == "extra_forbidden":
            detail = unknown(name)
        else:
            detail = f"{name} is {error['input']!r:.40}; it {said}." if name else f"{said[:1].upper()}{said[1:]}."
        found.append(InputError(pointer=f"/{name}", detail=detail))
    return InvalidInput(found, " ".join(each.detail for each in found))


def by_name(what: str, given: Any) -> Mapping[str, Any]:
    """Names with their values, none where nothing was given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise refused(f"/{what}", f"{what} is of the type {kind}; names with their values are needed: {{'fast': 20}}.")
    return given
