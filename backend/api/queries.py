"""The query of a request: a name that its operation does not know is refused, never passed over.

A filter with a slip in its name would else be none, and its answer would look like everything that matches.
"""

from urllib.parse import parse_qsl

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.types import Scope

from backend.domain.errors import InputError, InvalidInput
from backend.domain.market import closest

_LONGEST_TOLD = 60
_known: dict[str, tuple[str, ...]] = {}


def require_known_names(scope: Scope) -> None:
    """Raises InvalidInput with what was meant, or with what there is. It costs nothing where nothing is asked."""
    route = scope.get("route")
    if not scope.get("query_string") or not isinstance(route, APIRoute):
        return
    known = _names_of(route)
    asked = dict.fromkeys(name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), True))
    if unknown := [name for name in asked if name not in known]:
        raise InvalidInput([_told(name[:_LONGEST_TOLD], known) for name in unknown[:20]])


def _names_of(route: APIRoute) -> tuple[str, ...]:
    """Worked out once for each operation."""
    key = route.operation_id or route.unique_id
    if key not in _known:
        fields = get_flat_params(route.dependant)
        _known[key] = tuple(field.alias for field in fields if isinstance(field.field_info, Query))
    return _known[key]


def _told(name: str, known: tuple[str, ...]) -> InputError:
    meant = closest(name, known, most=1)
    there_is = f"There are: {', '.join(known)}." if known else "There are none here."
    hint = f"Did you mean '{meant[0]}'?" if meant else there_is
    pointer = name.replace("~", "~0").replace("/", "~1")
    return InputError(pointer=f"/query/{pointer}", detail=f"There is no parameter '{name}'. {hint}")
