"""A study as a page or in the output of a notebook's cell: judgement, best trials or folds, and a heat map."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.backtesting.report.escaping import text
from backend.backtesting.report.style import STYLE
from backend.backtesting.report.whole import whole_page
from backend.backtesting.study_words import judged_lines, of_objective, rows_of_study, table_of, title_of, warnings_of

_SHOWN: Final = 10


def study_report(study: Mapping[str, Any]) -> str:
    """The same as a page that needs nothing else."""
    return whole_page(title_of(study), _body(study))


def study_html(study: Mapping[str, Any]) -> str:
    return f'<div class="tm"><style>{STYLE}</style><main>{_body(study)}</main></div>'


def _body(study: Mapping[str, Any]) -> str:
    titles, cells = table_of(study, rows_of_study(study)[:_SHOWN])
    maps = "".join(_heat(study, grid) for grid in study.get("heat_maps", [])[:1])
    inside = f"<header><h1>{text(title_of(study))}</h1></header>{_judged(study)}{_warnings(study)}"
    ranking = _card("Ranking", _table(titles, cells))
    return f"{inside}{ranking}{maps}"


def _judged(study: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(label)}</th><td class="words">{text(value)}</td></tr>'
        for label, value in judged_lines(study)
    )
    return _card("How far to trust it", f"<table><tbody>{rows}</tbody></table>")


def _warnings(study: Mapping[str, Any]) -> str:
    found = "".join(f"<li>{text(each)}</li>" for each in warnings_of(study))
    return _card("Before you believe it", f"<ul>{found}</ul>") if found else ""


def _card(title: str, inside: str) -> str:
    return f'<section class="card"><h2>{text(title)}</h2>{inside}</section>'


def _table(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{text(title.capitalize())}</th>' for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in cells)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _heat(study: Mapping[str, Any], grid: Mapping[str, Any]) -> str:
    """The median of each cell, the better the deeper."""
    x, y = grid["x"], grid["y"]
    known = sorted(value for row in grid["median"] for value in row if value is not None)
    head = "".join(f'<th scope="col">{text(value)}</th>' for value in x["values"])
    body = "".join(
        f'<tr><th scope="row">{text(value)}</th>{"".join(_cell(study, each, known) for each in row)}</tr>'
        for value, row in zip(y["values"], grid["median"], strict=True)
    )
    title = f"Median by {x['name']} (across) and {y['name']} (down)"
    table = f'<table class="months"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'
    return _card(title, f'<div class="scroll">{table}</div>')


def _cell(study: Mapping[str, Any], value: float | None, known: Sequence[float]) -> str:
    if value is None:
        return "<td></td>"
    rank = sum(each < value for each in known) / len(known)
    rank = rank if study["objective"]["more_is_better"] else 1.0 - rank
    level = math.ceil((abs(rank - 0.5) - 0.1) * 7.5)
    kind = f"{'g' if rank > 0.5 else 'l'}{min(level, 3)}" if level > 0 else ""
    return f'<td class="{kind}">{text(of_objective(study, value))}</td>'
