"""What a PromQL expression asks for: names of metrics, and labels of each."""

import re

from tests.monitoring.conftest import Exposed

# Added by Prometheus to everything that it reads.
FROM_THE_SCRAPE = frozenset({"job", "instance"})
_FROM_ELSEWHERE = frozenset({"up"})
_METRIC = re.compile(r"\b(tidemark_[a-z_]+|up)\b(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_MADE_HERE = re.compile(r'label_replace\(.*,\s*"(\w+)",\s*"[^"]*",\s*"\w+",\s*"[^"]*"\)')


def names_of(expression: str) -> set[str]:
    return {name for name, _ in _METRIC.findall(expression)}


def unknown_names_of(expression: str, exposed: Exposed) -> set[str]:
    return names_of(expression) - exposed.names - _FROM_ELSEWHERE


def unknown_labels_of(expression: str, exposed: Exposed) -> set[str]:
    """Labels that no metric of the expression has. A metric that had no value yet may have any."""
    metrics = _METRIC.findall(expression)
    there = {name: exposed.labels.get(name) for name, _ in metrics if name not in _FROM_ELSEWHERE}
    unknown = set()
    for name, selectors in metrics:
        seen = there.get(name)
        if seen is not None:
            unknown |= set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"", selectors)) - seen - FROM_THE_SCRAPE
    if None not in there.values():
        grouped = {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")}
        known = FROM_THE_SCRAPE.union(*(seen for seen in there.values() if seen), _MADE_HERE.findall(expression))
        unknown |= grouped - known
    return unknown
