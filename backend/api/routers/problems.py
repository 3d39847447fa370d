"""The pages that `type` of an error leads to: what it means, in a browser."""

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from backend.api.errors import TYPE_PREFIX, NoSuchPage, all_problems, status_of
from backend.domain.errors import TidemarkError

router = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
{body}
</html>
"""


@router.get("/problems")
async def list_problems() -> Response:
    """Every error that an answer can carry."""
    rows = "\n".join(
        f'<li>{status_of(kind)} <a href="{TYPE_PREFIX}{kind.code}">{kind.code}</a> {escape(kind.title)}</li>'
        for kind in all_problems()
    )
    return HTMLResponse(PAGE.format(title="Errors of the Tidemark API", body=f"<ul>\n{rows}\n</ul>"))


@router.get("/problems/{code}")
async def explain_problem(code: str) -> Response:
    """One error: its status, and what it means."""
    kind: type[TidemarkError] | None = next((kind for kind in all_problems() if kind.code == code), None)
    if kind is None:
        raise NoSuchPage("No error has this code.")
    body = (
        f"<p>{escape(kind.__doc__ or kind.title)}</p>\n"
        f"<p>Code <code>{kind.code}</code>, status {status_of(kind)}.</p>\n"
        f'<p><a href="/problems">All errors</a></p>'
    )
    return HTMLResponse(PAGE.format(title=escape(kind.title), body=body))
