"""The work of a training in a process without a database: a stored form in; a card, a file, maybe a prediction out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from backend.domain.backtest_ports import RunBars
from backend.domain.config import SeriesConfig
from backend.domain.market import Series
from backend.domain.market_errors import MarketDataError
from backend.domain.market_ports import DiskQuotas, Loaded
from backend.domain.ml.predicting import Freshness, fresh
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.training import Champion, Trained, train
from backend.domain.model_errors import BarsTooOld, ModelDamaged, ModelOfOtherVersion
from backend.domain.model_ports import ModelFiles
from backend.domain.ports import Clock
from backend.services.backtest_runs import Told, heed
from backend.services.bars_at_hand import series_of
from backend.services.latest_bars import LatestBars
from backend.services.model_predicting import RECENT_BARS
from backend.services.model_saying import Speaker, document_of, said_by

if TYPE_CHECKING:
    from backend.domain.ml.forecaster import Forecaster
    from backend.domain.ml.learned import LearnedModel

_JUST_NOW: Final = Freshness(is_fresh=True, reason="", age_bars=0, drift="none")


@dataclass(frozen=True, kw_only=True)
class School:
    """What models are trained with."""

    bars: RunBars
    latest: LatestBars
    files: ModelFiles
    quotas: DiskQuotas
    forecaster: "Forecaster"
    read: "Callable[[bytes], LearnedModel]"
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class _Holder:
    """The champion of the question when the training was asked for; without a model its file cannot be used."""

    id: UUID
    card: Mapping[str, Any]
    learned: "LearnedModel | None"
    proven_at: datetime | None
    trouble: str = ""


def train_model(
    payload: Mapping[str, Any], owner: UUID, school: School, told: Told, is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """What a task of the kind train comes to. Raises Stopped, and what a person can act on."""

    def hear(stage: str, percent: float | None = None, message: str = "", **more: Any) -> None:
        heed(is_cancelled)
        told(stage, percent, message, **more)

    hear("bars", 0.0)
    series = series_of(SeriesConfig.model_validate(payload["series"]), owner)
    loaded = school.bars.load(series, *(datetime.fromisoformat(payload[name]) for name in ("start", "end")))
    holder = _holder(payload["champion"], owner, school)
    trained = train(
        loaded,
        ModelSpec.model_validate(payload["spec"]),
        school.forecaster,
        told=hear,
        threads=payload["threads"],
        champion=_challenged(holder),
    )
    heed(is_cancelled)
    school.quotas.require(owner, len(trained.content))
    sha256 = school.files.keep(owner, trained.content)
    file = {"sha256": sha256, "bytes": len(trained.content)}
    card = {**trained.card, "file": file, "contest": _contest(trained, holder)}
    came: dict[str, Any] = {"summary": _summary(card), "card": card, "file": file}
    if payload["predicts"]:
        hear("predicting", 99.0)
        new = Speaker(id=UUID(payload["task_id"]), card=card, learned=trained.model, freshness=_JUST_NOW)
        came["prediction"] = _said(new, holder, series, school)
    return came


def _holder(champion: Mapping[str, Any] | None, owner: UUID, school: School) -> _Holder | None:
    if champion is None:
        return None
    proven = champion["proven_at"]
    found: dict[str, Any] = {
        "id": UUID(champion["id"]),
        "card": champion["card"],
        "proven_at": proven and datetime.fromisoformat(proven),
    }
    try:
        return _Holder(**found, learned=school.read(school.files.read(owner, champion["sha256"])))
    except (ModelDamaged, ModelOfOtherVersion) as problem:
        return _Holder(**found, learned=None, trouble=problem.detail)


def _challenged(holder: _Holder | None) -> Champion | None:
    if holder is None or holder.learned is None:
        return None
    until = datetime.fromisoformat(holder.card["data"]["known_until"])
    return Champion(id=str(holder.id), model=holder.learned, known_until=int(until.timestamp() * 1_000_000))


def _contest(trained: Trained, holder: _Holder | None) -> Mapping[str, Any] | None:
    """A champion that cannot be asked any more gives way."""
    if holder is None or holder.learned is not None:
        found: Mapping[str, Any] | None = trained.card["contest"]
        return found
    why = f"The champion could not be asked, so there was no contest: {holder.trouble}"
    nothing = dict.fromkeys(("gain", "low", "high"))
    return {"champion_id": str(holder.id), "bars": 0, **nothing, "is_won": True, "why": why}


def _summary(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question": card["question"],
        "headline": card["verdict"]["headline"],
        "is_trusted": card["verdict"]["is_trusted"],
        "auc": card["pooled"]["auc"],
        "ic": card["pooled"]["ic"],
        "bars": card["data"]["bars"],
        "contest": card["contest"] and card["contest"]["why"],
    }


def _winner(new: Speaker, holder: _Holder | None, loaded: Loaded, now: datetime) -> Speaker:
    """Whoever answers the question from now on. One that held its place without a contest is as fresh as it was."""
    contest = new.card["contest"]
    if holder is None or holder.learned is None or (contest and contest["is_won"]):
        return new
    held = bool(contest) and contest["gain"] is not None
    freshness = _JUST_NOW if held else fresh(holder.card, holder.learned, loaded.bars, now, proven_at=holder.proven_at)
    return Speaker(id=holder.id, card=holder.card, learned=holder.learned, freshness=freshness)


def _said(new: Speaker, holder: _Holder | None, series: Series, school: School) -> dict[str, Any] | None:
    """None when what would be predicted has happened by now."""
    now = school.clock.now()
    try:
        loaded = school.latest.last(series, RECENT_BARS)
        speaker = _winner(new, holder, loaded, now)
        opens = school.latest.next_opens(loaded, speaker.learned.spec.horizon)
        return document_of(said_by(speaker, loaded, opens, now))
    except (BarsTooOld, MarketDataError):
        return None
