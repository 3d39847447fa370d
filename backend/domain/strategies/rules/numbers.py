"""The numbers in a tree of rules, by where they stand: `long.enter.of.1.right`, `stop_percent`."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

# Deeper than any tree that can be read.
_DEEPEST = 100


def numbers_in(node: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, int | float]]:
    """Not beneath names with a point, which could not be told from a way."""
    if len(way) > _DEEPEST:
        return
    match node:
        case bool():
            return
        case int() | float():
            yield ".".join(way), node
        case Mapping():
            for name, child in node.items():
                if "." in str(name):
                    continue
                yield from numbers_in(child, (*way, str(name)))
        case list():
            for place, child in enumerate(node):
                yield from numbers_in(child, (*way, str(place)))


def with_numbers(rules: Mapping[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that has these numbers in their places, which are of `numbers_in`."""
    changed = deepcopy(dict(rules))
    for place, number in numbers.items():
        *way, last = place.split(".")
        node: Any = changed
        for part in way:
            node = node[int(part) if isinstance(node, list) else part]
        node[int(last) if isinstance(node, list) else last] = number
    return changed
