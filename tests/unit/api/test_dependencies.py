"""What endpoints ask for, seen from the framework's side."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from backend.api.routers import accounts, config, health, problems


def asked_for(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from asked_for(inner)


def is_async(call: Callable[..., Any]) -> bool:
    call = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


def test_no_request_waits_for_a_thread() -> None:
    """A plain function among them costs each request two changes of thread, and its place in a queue of forty."""
    routes = [route for feature in (accounts, config, health, problems) for route in feature.router.routes]
    calls = {call for route in routes if isinstance(route, APIRoute) for call in asked_for(route.dependant)}
    assert len(calls) > len(routes)
    assert [call for call in calls if not is_async(call)] == []
