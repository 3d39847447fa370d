"""Models that were kept: list and show them, and say which one answers."""

import json

from backend.cli.backtest.problems import problems
from backend.cli.model.choices import AsJson, ModelId, print_document


def list_models(as_json: AsJson = False) -> None:
    """List what is kept on this machine, newest first."""
    from backend.cli.terminal import clean, print_columns
    from backend.domain import format as say
    from backend.research.model_places import listed

    with problems():
        found = listed()
    if as_json:
        print(json.dumps({"items": [{**one, "saved_at": one["saved_at"].isoformat()} for one in found]}, indent=2))
    elif not found:
        print("No model is kept yet. `tidemark model train --symbol BTC/USDT --timeframe 1h` makes one.")
    else:
        print_columns(
            ["ID", "STATE", "SERIES", "QUESTION", "AUC", "VERDICT"],
            [
                [
                    one["id"],
                    one["state"],
                    clean(f"{one['provider']} {one['symbol']} {one['timeframe']}"),
                    one["question"],
                    say.fixed(one["auc"], 3),
                    clean(one["headline"]),
                ]
                for one in found
            ],
        )


def show(model_id: ModelId, *, as_json: AsJson = False) -> None:
    """Show the card of a model."""
    from backend.cli.terminal import clean
    from backend.research import open_model

    with problems():
        model = open_model(model_id)
    if as_json:
        print_document({"id": model.id, "state": model.state, "card": model.card})
    else:
        print(clean(repr(model)))


def promote(model_id: ModelId, *, as_json: AsJson = False) -> None:
    """Make a model the champion of its question; the one before it is retired."""
    from backend.research.model_places import promote as place

    with problems():
        promoted, before = place(model_id)
    if as_json:
        print_document({"id": promoted, "state": "champion", "retired": before})
    elif before is None:
        print(f"{promoted} is the champion.")
    else:
        print(f"{promoted} is the champion; {before} is retired.")
