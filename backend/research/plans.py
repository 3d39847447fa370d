"""How a study goes about it, checked, with words for whoever typed it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.backtesting.studies import StudyPlan


def checked_plan(plan: Mapping[str, Any]) -> "StudyPlan":
    """Raises InvalidInput, which names each part that cannot be used."""
    from pydantic import ValidationError

    from backend.backtesting.studies import StudyPlan
    from backend.research.refusing import refused_by

    try:
        return StudyPlan.model_validate(dict(plan))
    except ValidationError as problem:
        raise refused_by(problem) from None
