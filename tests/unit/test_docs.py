"""The documents hang together: every link, anchor and picture is there, and every page can be found from the index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LARGEST_PICTURE = 150_000
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)|(?:src|srcset)=\"(?!https?://)([^\"]+)\"")


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    return [link or picture for link, picture in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in heads)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / name).resolve()
        assert target.exists(), f"{page.name} points to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name} points to {link}, and {target.name} has {anchors(target)}"


def test_every_page_is_found_from_the_index() -> None:
    seen, waiting = set[Path](), [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md" and DOCS in page.parents:
            seen.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]
    decisions = set((DOCS / "decisions").glob("*.md"))  # its own index lists the folder
    assert {str(page.relative_to(DOCS)) for page in set(PAGES[1:]) - seen - decisions} == set()


def test_every_picture_is_shown_and_small() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    pictures = [path for path in (DOCS / "pictures").iterdir() if path.suffix in (".png", ".svg", ".jpg")]
    assert pictures
    for picture in pictures:
        assert picture in shown, f"No page shows {picture.name}."
        assert picture.stat().st_size <= LARGEST_PICTURE, f"{picture.name} is large."


def test_the_check_of_links_finds_what_is_not_there(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('# A page: 1\n[one](gone.md) `[no](code.md)` [two](#a-page-1) <img src="gone.png">\n')
    assert links(page) == ["gone.md", "#a-page-1", "gone.png"]
    assert anchors(page) == {"a-page-1"}
