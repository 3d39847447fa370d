"""Who is champion of which question on this machine."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.domain.ml.challenge import Champion
    from backend.domain.ml.forecaster import Forecaster
    from backend.domain.ml.telling import Told
    from backend.research.bars import Bars
    from backend.research.models import Model


def champion_of(series: Mapping[str, Any], question: str, forecaster: "Forecaster") -> "Champion | None":
    """None too where its file cannot be used any more: whoever comes after it has nobody to beat."""
    from backend.bootstrap_research import open_model_shelf
    from backend.domain.ml.challenge import Champion
    from backend.domain.ml.learned import LearnedModel
    from backend.domain.model_errors import ModelDamaged, ModelOfOtherVersion

    shelf = open_model_shelf()
    kept = shelf.champion(series, question)
    if kept is None:
        return None
    try:
        model = LearnedModel.read(shelf.content(kept.id), forecaster)
    except (ModelDamaged, ModelOfOtherVersion):
        return None
    known_until = datetime.fromisoformat(kept.card["data"]["known_until"])
    return Champion(id=kept.id, model=model, known_until=int(known_until.timestamp() * 1_000_000))


def fresh_champion(series: Mapping[str, Any], question: str, held: "Bars", told: "Told") -> "Model | None":
    """The one that may answer for the last of these bars; why another has to be trained is told."""
    from backend.bootstrap_research import open_model_shelf
    from backend.domain.model_errors import ModelDamaged, ModelOfOtherVersion
    from backend.research.models import Model

    shelf = open_model_shelf()
    kept = shelf.champion(series, question)
    if kept is None:
        return None
    try:
        model = Model(kept.card, shelf.content(kept.id), id=kept.id, state=kept.state)
        freshness = model.freshness(held, kept.proven_until)
    except (ModelDamaged, ModelOfOtherVersion) as problem:
        told("champion", 0.0, f"{problem.detail} Training another.")
        return None
    if freshness.is_fresh:
        return model
    told("champion", 0.0, f"{kept.id} is not fresh. {freshness.reason} Training another.")
    return None


def _trouble_of(model_id: str) -> str:
    """Why a model cannot be asked any more; empty when it can."""
    from backend.bootstrap_research import open_forecaster, open_model_shelf
    from backend.domain.ml.learned import LearnedModel
    from backend.domain.model_errors import ModelDamaged, ModelOfOtherVersion

    try:
        LearnedModel.read(open_model_shelf().content(model_id), open_forecaster())
    except (ModelDamaged, ModelOfOtherVersion) as problem:
        return problem.detail
    return ""


def shelve(card: Mapping[str, Any], content: bytes) -> tuple[str, str]:
    """The id and the state that the model has now."""
    from backend.bootstrap_research import open_model_shelf

    shelf = open_model_shelf()
    before, contest = shelf.champion(card["series"], card["question"]), card["contest"]
    if before is None:
        return shelf.save(card, content, state="champion", reason="The first of its question."), "champion"
    if trouble := _trouble_of(before.id):
        model_id = shelf.save(card, content, state="champion", reason=f"The one before could not be asked: {trouble}")
        shelf.place(before.id, "retired", f"Gave way to {model_id}: {trouble}")
        return model_id, "champion"
    if contest is None or contest["champion_id"] != before.id:
        reason = f"It was not held against the champion, {before.id}."
        return shelf.save(card, content, state="candidate", reason=reason), "candidate"
    if contest["is_won"]:
        model_id = shelf.save(card, content, state="champion", reason=contest["why"])
        shelf.place(before.id, "retired", f"Beaten by {model_id}.")
        return model_id, "champion"
    if contest["gain"] is not None:
        # It held on bars up to here, and may answer on.
        until = datetime.fromisoformat(card["data"]["known_until"])
        shelf.place(before.id, "champion", before.reason, proven_until=until)
    return shelf.save(card, content, state="candidate", reason=contest["why"]), "candidate"


def promote(model_id: str) -> tuple[str, str | None]:
    """Make it the champion, whatever its contest said. The id, and that of the one whose place it takes."""
    from backend.bootstrap_research import open_forecaster, open_model_shelf
    from backend.domain.ml.learned import LearnedModel

    shelf = open_model_shelf()
    kept = shelf.load(model_id)
    LearnedModel.read(shelf.content(kept.id), open_forecaster())
    before = shelf.champion(kept.card["series"], kept.card["question"])
    if before is not None and before.id == kept.id:
        return kept.id, None
    shelf.place(kept.id, "champion", "Promoted by hand.", proven_until=kept.proven_until)
    if before is not None:
        shelf.place(before.id, "retired", f"Gave way to {kept.id}, by hand.")
    return kept.id, None if before is None else before.id


def listed() -> list[dict[str, Any]]:
    from backend.bootstrap_research import open_model_shelf

    return [
        {
            "id": one.id,
            "state": one.state,
            "reason": one.reason,
            "saved_at": one.saved_at,
            **one.card["series"],
            "question": one.card["question"],
            "auc": one.card["pooled"]["auc"]["value"],
            "auc_low": one.card["pooled"]["auc"]["low"],
            "auc_high": one.card["pooled"]["auc"]["high"],
            "is_trusted": one.card["verdict"]["is_trusted"],
            "headline": one.card["verdict"]["headline"],
            "known_until": one.card["data"]["known_until"],
        }
        for one in open_model_shelf().all()
    ]
