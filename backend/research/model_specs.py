"""What is asked of a model, checked, with words for whoever typed it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.domain.ml.spec import ModelSpec


def spec_of(given: Mapping[str, Any]) -> "ModelSpec":
    """Raises InvalidInput, which names each setting that cannot be used."""
    from pydantic import ValidationError

    from backend.domain.ml.spec import ModelSpec
    from backend.research.refusing import refused_by

    try:
        return ModelSpec.model_validate(dict(given))
    except ValidationError as problem:
        raise refused_by(problem, _no_setting) from None


def _no_setting(name: str) -> str:
    from backend.domain.market import closest
    from backend.domain.ml.spec import ModelSpec

    known = list(ModelSpec.model_fields)
    meant = closest(name, known, most=1)
    hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(known)}."
    return f"A model has no setting '{name[:60]}'. {hint}"
