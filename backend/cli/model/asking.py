"""`tidemark model predict|evaluate|drift`: what a model says, what came of it, and whether it may still say it."""

from typing import Annotated

import typer

from backend.cli.backtest.problems import problems
from backend.cli.model.choices import AsJson, ModelId, OneSeries, Question, Threads, print_document
from backend.cli.model.progress import Progress
from backend.cli.option_groups import with_groups


@with_groups
def predict(
    *,
    model: Annotated[str | None, typer.Option("--model", help="Ask this one. Default: the fresh champion.")] = None,
    series: OneSeries,
    question: Question,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Predict from the last bar. Where no fresh champion is kept, one is trained first."""
    from backend.cli.terminal import clean

    with problems():
        from backend.research import open_model
        from backend.research import predict as ask
        from backend.research.model_specs import spec_of

        spec_of(question.settings)
        if model is not None:
            asked = open_model(model)
            said = asked.predict(series.of_card(asked.card))
        else:
            bars = series.load()
            with Progress() as told:
                said = ask(bars, question.settings, threads=threads, told=told)
    if as_json:
        print_document(said.document())
    else:
        print(clean(repr(said)))


@with_groups
def evaluate(model_id: ModelId, *, series: OneSeries, as_json: AsJson = False) -> None:
    """Judge a model on the bars that came after its lessons, beside what its card promised."""
    from backend.cli.terminal import clean

    with problems():
        from backend.research import open_model
        from backend.research.model_words import evaluation_in_words

        model = open_model(model_id)
        found = {"id": model.id, **model.evaluate(series.of_card(model.card))}
    if as_json:
        print_document(found)
    else:
        print(clean(evaluation_in_words(found)))


@with_groups
def drift(
    model_id: ModelId,
    *,
    series: OneSeries,
    fail_if_stale: Annotated[bool, typer.Option("--fail-if-stale", help="End with 6 when it may not answer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether the newest bars still look like those that a model learned from, and whether it may answer."""
    from dataclasses import asdict

    from backend.cli.failures import CommandFailed, ExitCode
    from backend.cli.terminal import clean

    with problems():
        from backend.research import open_model
        from backend.research.model_words import drift_in_words

        model = open_model(model_id)
        bars = series.of_card(model.card)
        found = {"id": model.id, **model.drift(bars), "freshness": asdict(model.freshness(bars))}
    if as_json:
        print_document(found)
    else:
        print(clean(drift_in_words(found)))
    fresh = found["freshness"]
    if fail_if_stale and not fresh["is_fresh"]:
        raise CommandFailed("gate_unmet", "It may not answer", fresh["reason"], exit_code=ExitCode.GATE_UNMET)
