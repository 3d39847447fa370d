"""What can go wrong with models and predictions, each with its numbers and the next step."""

from uuid import UUID

from backend.domain.errors import Conflict, InputError, InvalidInput, NotFound, TidemarkError


class TooFewBars(InvalidInput):
    """There is too little history to learn from, or the horizon is longer than the data."""

    code = "too_few_bars"
    title = "There is too little history"

    def __init__(
        self, bars: int, needed: int, why: str, *, remedy: str = "Take a longer range or a shorter horizon."
    ) -> None:
        self.bars, self.needed = bars, needed
        detail = f"There are {bars:,} bars; {why} needs at least {needed:,}. {remedy}"
        super().__init__([InputError(pointer="/series", detail=detail)], detail)


class NothingToLearn(InvalidInput):
    """All labels are the same, as when prices never change."""

    code = "nothing_to_learn"
    title = "There is nothing to learn here"

    def __init__(self, detail: str) -> None:
        super().__init__([InputError(pointer="/series", detail=detail)], detail)


class ModelNotFound(NotFound):
    """No model of this user has the id."""

    code = "model_not_found"
    title = "There is no such model"

    def __init__(self, model_id: UUID | str) -> None:
        super().__init__(f"You have no model {model_id}.")


class PredictionNotFound(NotFound):
    """No prediction of this user has the id."""

    code = "prediction_not_found"
    title = "There is no such prediction"

    def __init__(self, prediction_id: UUID) -> None:
        super().__init__(f"You have no prediction {prediction_id}.")


class ModelNotUsable(Conflict):
    """It is still trained, failed, or cannot do what is asked in the state that it has."""

    code = "model_not_usable"
    title = "This model cannot be used for that"


class BarsTooOld(Conflict):
    """The newest bars are so old that what would be predicted has happened already."""

    code = "bars_too_old"
    title = "The bars are too old to predict from"


class ModelDamaged(TidemarkError):
    """A model's file is gone, was changed, or was cut off."""

    code = "model_damaged"
    title = "The file of this model cannot be used"


class ModelOfOtherVersion(TidemarkError):
    """A model's file has a form that this version does not read."""

    code = "model_of_other_version"
    title = "This model was made by another version"
