"""`tidemark model train`: learn from bars, and say how far to trust what was learned."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from backend.cli.backtest.choices import FailUnder
from backend.cli.backtest.problems import gates_of, judge, problems
from backend.cli.model.choices import AsJson, OneSeries, Question, Threads, print_document
from backend.cli.model.progress import Progress
from backend.cli.option_groups import with_groups

FIGURES = ("auc", "auc_low", "ic", "ic_low", "rank_ic", "rank_ic_low", "accuracy")


@with_groups
def train(
    *,
    series: OneSeries,
    question: Question,
    threads: Threads = 2,
    save: Annotated[bool, typer.Option("--save/--no-save", help="Keep it, to ask it later.")] = True,
    fail_under: FailUnder = None,
    as_json: AsJson = False,
) -> None:
    """Train a model, try it on bars that it has not seen, and say how far to trust it."""
    from backend.cli.terminal import clean, say

    with problems():
        gates = gates_of(fail_under, FIGURES)
        from backend.research import train as learn
        from backend.research.model_specs import spec_of

        spec_of(question.settings)
        bars = series.load()
        with Progress() as told:
            model = learn(bars, question.settings, threads=threads, told=told)
        if save:
            model.save()
            say(f"Kept as {model.id}, {model.state}.")
    if as_json:
        print_document({"id": model.id, "state": model.state or None, "card": model.card})
    else:
        print(clean(repr(model)))
    judge(_figures(model.card["pooled"]), {}, gates)


def _figures(pooled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: pooled[name.removesuffix("_low")]["low"]
        if name.endswith("_low")
        else pooled[name]["value"]
        if isinstance(pooled[name], Mapping)
        else pooled[name]
        for name in FIGURES
    }
