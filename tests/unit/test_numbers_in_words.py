"""Numbers that people read are written by backend/domain/format.py, which the web app's twin is held to as well."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPOKEN = ("backtesting", "cli", "domain", "research", "services")
# Coordinates of a drawing; whole seconds of a wait and whole mebibytes, where no sign and no missing value can be.
PLAIN = {
    "backtesting/report/charts.py",
    "cli/credentials.py",
    "cli/failures.py",
    "cli/supabase_auth.py",
    "domain/errors.py",
    "domain/market_errors.py",
}
DECIMALS = re.compile(r"\{[^{}\"']*(?:\[[^\]]*\])*:[+,]*\.[0-9]+f\}")


@pytest.mark.parametrize("part", SPOKEN)
def test_no_sentence_rounds_by_itself(part: str) -> None:
    files = [path for path in sorted((ROOT / "backend" / part).rglob("*.py")) if path.name != "format.py"]
    found = [
        f"{path.relative_to(ROOT / 'backend')}:{number} {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if DECIMALS.search(line)
    ]
    assert [line for line in found if line.partition(":")[0] not in PLAIN] == []


def test_the_pattern_finds_what_it_should() -> None:
    assert DECIMALS.search("f'{seen:.2f}'")
    assert DECIMALS.search("f'{told[name]:,.1f} GiB'")
    assert not DECIMALS.search("f'{value:.10g}'")
    assert not DECIMALS.search("f'{count:,}'")
