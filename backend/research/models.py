"""Models that learn: trained, judged, kept on this machine, asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backend.research.bars import Bars, held_of
from backend.research.first_time import first_time
from backend.research.model_specs import spec_of

if TYPE_CHECKING:
    import pandas as pd

    from backend.domain.ml.learned import LearnedModel
    from backend.domain.ml.predicting import Freshness
    from backend.domain.ml.telling import Told


class Model:
    """A model and its card. `verdict` says how far to trust it."""

    def __init__(self, card: Mapping[str, Any], content: bytes, *, id: str | None = None, state: str = "") -> None:
        self.card, self.content = card, content
        self.id, self.state = id, state  # none and empty until it is saved

    @property
    def verdict(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.card["verdict"]
        return told

    @property
    def is_trusted(self) -> bool:
        return bool(self.verdict["is_trusted"])

    @property
    def learned(self) -> "LearnedModel":
        from backend.bootstrap_research import open_forecaster
        from backend.domain.ml.learned import LearnedModel

        return LearnedModel.read(self.content, open_forecaster())

    def predict(self, bars: "Bars | pd.DataFrame") -> "Prediction":
        """Of the last bar, as of its close."""
        held = _one(bars)
        learned = self.learned
        said = learned.predict(held.frame)
        expected, low, high = (float(values[-1]) for values in (said.expected_return, said.low, said.high))
        age = int((held.frame["ts"] >= datetime.fromisoformat(self.card["data"]["known_until"])).sum())
        return Prediction(
            model_id=self.id,
            question=self.card["question"],
            series=series_of(held),
            as_of=_closed(held),
            horizon=learned.spec.horizon,
            probability_up=float(said.probability[-1]),
            expected_return=expected,
            low=low,
            high=high,
            level=said.level,
            is_trusted=self.is_trusted,
            headline=str(self.verdict["headline"]),
            reasons=tuple(self.verdict["reasons"]),
            model_age_bars=age,
            contributions=said.contributions,
        )

    def evaluate(self, bars: "Bars | pd.DataFrame") -> Mapping[str, Any]:
        """On the bars since its lessons ended: metrics with their intervals, and what the card promised beside them.

        Raises TooFewBars where there are hardly any.
        """
        from backend.domain.ml.later import evaluate_later

        return evaluate_later(self.card, self.learned, _one(bars).frame)

    def drift(self, bars: "Bars | pd.DataFrame") -> Mapping[str, Any]:
        """How far the newest bars are from those that it learned from."""
        return self.learned.drift(_one(bars).frame)

    def freshness(self, bars: "Bars | pd.DataFrame", proven_until: datetime | None = None) -> "Freshness":
        """Whether it may answer for the last of these bars without being trained again."""
        from backend.domain.ml.predicting import fresh

        held = _one(bars)
        return fresh(self.card, self.learned, held.frame, _closed(held), proven_at=proven_until)

    def save(self) -> str:
        """Keep it below data_cache; it becomes the champion of its question when there is none, or when it has won.

        `tidemark model list` and `open_model` find it there.
        """
        from backend.research.model_places import shelve

        self.id, self.state = shelve(self.card, self.content)
        return self.id

    def to_frame(self) -> "pd.DataFrame":
        """The folds, a row each: when, how many rows, and the main figures."""
        import pandas as pd

        rows = [
            {
                **{name: fold[name] for name in ("number", "test_first", "test_last", "test_rows", "rounds")},
                **{name: fold["metrics"][name]["value"] for name in ("auc", "ic", "rank_ic")},
                **{name: fold["metrics"][name] for name in ("log_loss", "brier", "accuracy")},
            }
            for fold in self.card["folds"]
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        from backend.research.model_words import card_in_words

        return card_in_words(self.card, model_id=self.id, state=self.state)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of the last bar. `is_trusted` and the reasons say how far to believe it."""

    model_id: str | None
    question: str
    series: Mapping[str, Any]
    as_of: datetime  # the close of the bar that it looked at last
    horizon: int
    probability_up: float
    expected_return: float
    low: float
    high: float
    level: float
    is_trusted: bool
    headline: str
    reasons: Sequence[Mapping[str, str]]
    model_age_bars: int
    contributions: Sequence[Mapping[str, Any]]

    def document(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **told,
            "as_of": self.as_of.isoformat(),
            "reasons": list(self.reasons),
            "contributions": list(self.contributions),
        }

    def __repr__(self) -> str:
        from backend.research.model_words import prediction_in_words

        return prediction_in_words(self.document())


def train(
    bars: "Bars | pd.DataFrame",
    spec: Mapping[str, Any] | None = None,
    *,
    threads: int = 2,
    told: "Told | None" = None,
    **settings: Any,
) -> Model:
    """Learn from bars, and say how far to trust what was learned.

    >>> from backend.research import load_bars, train
    >>> model = train(load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-06"), horizon=4, folds=2, rounds=20)
    >>> model.is_trusted, model.card["question"]
    (False, 'direction:4')

    Settings are those of a model's spec: horizon, label ("direction" or "triple_barrier"), barrier, folds, embargo,
    rounds, patience, learning_rate, leaves, least_in_leaf, cost_bps, seed. Where a champion of the same question is
    kept on this machine the model is held against it. The same bars, settings and threads give the same model.
    """
    with first_time("train"):
        from backend.bootstrap_research import open_forecaster
        from backend.domain.ml.telling import untold
        from backend.domain.ml.training import train as learn
        from backend.research.model_places import champion_of

        asked, held, forecaster = spec_of({**(spec or {}), **settings}), _one(bars), open_forecaster()
        made = learn(
            held.loaded,
            asked,
            forecaster,
            told=told or untold,
            threads=threads,
            champion=champion_of(series_of(held), asked.question, forecaster),
        )
    return Model(made.card, made.content)


def predict(
    bars: "Bars | pd.DataFrame",
    spec: Mapping[str, Any] | None = None,
    *,
    threads: int = 2,
    told: "Told | None" = None,
    **settings: Any,
) -> Prediction:
    """What the champion of the question says of the last bar; where there is none that is fresh, one is trained first.

    What is trained is kept. Settings are those of `train`.
    """
    from backend.domain.ml.telling import untold
    from backend.research.model_places import fresh_champion

    held = _one(bars)
    question = spec_of({**(spec or {}), **settings}).question
    model = fresh_champion(series_of(held), question, held, told or untold)
    if model is None:
        model = train(held, spec, threads=threads, told=told, **settings)
        model.save()
    return model.predict(held)


def open_model(model_id: str) -> Model:
    """A saved model. The beginning of its id is enough."""
    from backend.bootstrap_research import open_model_shelf

    shelf = open_model_shelf()
    kept = shelf.load(model_id)
    return Model(kept.card, shelf.content(kept.id), id=kept.id, state=kept.state)


def saved_models() -> "pd.DataFrame":
    """All that are kept on this machine, the newest first."""
    import pandas as pd

    from backend.research.model_places import listed

    return pd.DataFrame(listed())


def series_of(held: Bars) -> dict[str, Any]:
    from backend.domain.ml.model_card import series_of as described

    return described(held.loaded)


def _closed(held: Bars) -> datetime:
    last: datetime = held.frame["ts"].iloc[-1].to_pydatetime()
    return last + held.loaded.series.timeframe.length


def _one(bars: "Bars | pd.DataFrame") -> Bars:
    from backend.domain.errors import InputError, InvalidInput

    held = held_of(bars)
    if len(held) != 1:
        detail = f"A model learns from the bars of one symbol; these are {len(held)}."
        raise InvalidInput([InputError(pointer="/series", detail=detail)], detail)
    return held[0]
