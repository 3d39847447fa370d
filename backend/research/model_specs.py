"""What is asked of a model, checked, with words for whoever typed it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.domain.ml.spec import ModelSpec


def spec_of(given: Mapping[str, Any]) -> "ModelSpec":
    """Raises InvalidInput, which names each setting that cannot be used."""
    from pydantic import ValidationError

    from backend.domain.errors import InputError, InvalidInput
    from backend.domain.market import closest
    from backend.domain.ml.spec import ModelSpec

    try:
        return ModelSpec.model_validate(dict(given))
    except ValidationError as problem:
        known, found = list(ModelSpec.model_fields), []
        for error in problem.errors(include_url=False):
            name = "/".join(str(part) for part in error["loc"])
            said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
            if error["type"] == "extra_forbidden":
                meant = closest(name, known, most=1)
                hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(known)}."
                detail = f"A model has no setting '{name[:60]}'. {hint}"
            else:
                detail = f"{name} is {error['input']!r:.40}; it {said}." if name else f"{said[:1].upper()}{said[1:]}."
            found.append(InputError(pointer=f"/{name}", detail=detail))
        raise InvalidInput(found, " ".join(each.detail for each in found)) from None
