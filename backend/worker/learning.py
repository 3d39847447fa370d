"""The work of trainings, done in a child: it knows the folders of bars and models, and whose job it is."""

import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID


def prepare() -> Iterator[None]:
    """Load all that a training needs, in steps of some tenths of a second."""
    for module in _LOADED:
        importlib.import_module(module)
        yield
    # The library by the one who knows how its threads are to wait.
    importlib.import_module("backend.bootstrap_market").open_forecaster()


def train(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.bootstrap_models import school_of  # noqa: PLC0415 - loaded by who trains
    from backend.services.backtest_runs import Stopped  # noqa: PLC0415 - loaded by who trains
    from backend.services.model_training import train_model  # noqa: PLC0415 - loaded by who trains

    try:
        return train_model(payload, UUID(payload["user_id"]), school_of(os.environ), report, is_cancelled)
    except Stopped:
        return {}


_LOADED = ("scipy.sparse", "backend.services.model_training", "backend.bootstrap_models")
