"""Every example of docs/fills.md fills as the page says."""

import pytest

from backend.backtesting.engine import backtest
from tests.unit.backtesting.worked import Example, read_examples, rounded, told_fills

EXAMPLES = read_examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_an_example_fills_as_the_page_says(example: Example) -> None:
    result = backtest(example.feeds(), example.config)

    assert sorted(told_fills(result)) == sorted(rounded(fill) for fill in example.expected_fills())
    assert {note.code for note in result.notes} == example.notes
    for bar, equity in example.expected_equity().items():
        assert result.equity[bar] == pytest.approx(equity, abs=1e-6)


def test_the_page_shows_every_rule() -> None:
    assert len(EXAMPLES) >= 45
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
