"""How a study goes about it, checked, with words for whoever typed it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.backtesting.studies import StudyPlan


def checked_plan(plan: Mapping[str, Any]) -> "StudyPlan":
    """Raises InvalidInput, which names each part that cannot be used."""
    from pydantic import ValidationError

    from backend.backtesting.studies import StudyPlan
    from backend.domain.errors import InputError, InvalidInput

    try:
        return StudyPlan.model_validate(dict(plan))
    except ValidationError as problem:
        found = []
        for error in problem.errors(include_url=False):
            said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
            name = "/".join(str(part) for part in error["loc"])
            detail = f"{name} is {error['input']!r:.40}; it {said}." if name else f"{said[:1].upper()}{said[1:]}."
            found.append(InputError(pointer=f"/{name}", detail=detail))
        raise InvalidInput(found, " ".join(each.detail for each in found)) from None
