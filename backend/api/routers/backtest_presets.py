"""Presets: configurations of backtests that a user keeps by name."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from backend.api.dependencies import Changing, Reading
from backend.api.documentation import SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.routers.backtest_shapes import PRESET, WANTED, PresetFound, PresetsFound, PresetWanted
from backend.api.scopes import Reach, needs
from backend.api.versions import untagged
from backend.domain.backtests import Preset
from backend.domain.errors import NotFound, QuotaReached

router = APIRouter(prefix="/api/backtests", tags=["Backtests"])


@router.get(
    "/presets",
    operation_id="list_backtest_presets",
    openapi_extra=needs(Reach.READ),
    summary="List one's presets",
    responses={
        **shows(PresetsFound, PresetsFound(items=[PRESET]), "By name."),
        **problems("/api/backtests/presets", *SIGNED_IN),
    },
)
async def list_backtest_presets(services: Reading) -> Response:
    """Filled-in forms to begin a run with."""
    return untagged(PresetsFound(items=[_preset(one) for one in await services.backtests.presets()]))


@router.post(
    "/presets",
    openapi_extra={**takes({"name": "My costs", "form": WANTED}), **needs(Reach.RUN)},
    operation_id="keep_backtest_preset",
    summary="Keep a filled-in form",
    responses={
        **shows(PresetFound, PRESET, "Kept, in the place of the one of that name."),
        **problems(
            "/api/backtests/presets",
            *SIGNED_IN,
            *WITH_BODY,
            QuotaReached("presets", limit=100, count=100),
            invalid("/name", "A name has 1 to 120 visible characters."),
        ),
    },
)
async def keep_backtest_preset(wanted: PresetWanted, services: Changing) -> Response:
    """The form is kept as it is; it is checked when it is run."""
    return untagged(_preset(await services.backtests.keep_preset(wanted.name, wanted.form)))


@router.delete(
    "/presets/{preset_id:uuid}",
    operation_id="forget_backtest_preset",
    openapi_extra=needs(Reach.RUN),
    summary="Delete a preset",
    status_code=204,
    responses={
        204: {"description": "It is gone."},
        **problems(
            "/api/backtests/presets/{preset_id}",
            *SIGNED_IN,
            NotFound("You have no such preset."),
            invalid("/path/preset_id", "Input should be a valid UUID."),
        ),
    },
)
async def forget_backtest_preset(
    preset_id: Annotated[UUID, Path(description="The preset's id.")], services: Changing
) -> Response:
    """Runs that began with it stay."""
    await services.backtests.forget_preset(preset_id)
    return Response(status_code=204)


def _preset(preset: Preset) -> PresetFound:
    return PresetFound(**vars(preset))
