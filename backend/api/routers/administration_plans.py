"""Plans and the limits of the system, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import Administering, TheHouse
from backend.api.documentation import NOT_MODIFIED, WITH_BODY, invalid, problems, shows, takes
from backend.api.routers.administration_limits import limits_in_force
from backend.api.routers.administration_shapes import (
    ADMIN,
    LIMITS,
    PLAN,
    PLAN_CHANGE,
    Limits,
    Plan,
    PlanChange,
    Plans,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged, untagged
from backend.domain import administration as domain

router = APIRouter(prefix="/api/admin", tags=["Administration"])

_BAD_REASON = invalid("/reason", "A reason has 1 to 200 characters.")
PlanName = Annotated[str, Path(pattern=domain.PLAN_NAME_FORM, description="The name of the plan.", examples=["large"])]


@router.get(
    "/plans",
    operation_id="list_plans",
    openapi_extra=needs(Reach.ADMIN),
    summary="List the plans",
    responses={
        **shows(Plans, Plans(items=[PLAN]), "The smallest first.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/admin/plans", *ADMIN),
    },
)
async def list_plans(request: Request, administration: Administering, _: IfNoneMatch = None) -> Response:
    """What each allows, and how many accounts have it. Who has no other has `standard`."""
    return tagged(request, Plans(items=[Plan.of(plan) for plan in await administration.plans()]))


@router.put(
    "/plans/{name}",
    operation_id="put_plan",
    openapi_extra={**takes(PLAN_CHANGE), **needs(Reach.ADMIN)},
    summary="Change a plan, or make one",
    responses={
        **shows(Plan, PLAN, "The plan as it is now."),
        **problems(
            "/api/admin/plans/large",
            *ADMIN,
            *WITH_BODY,
            _BAD_REASON,
            invalid("/most_running", "Input should be greater than or equal to 1."),
        ),
    },
)
async def put_plan(change: PlanChange, administration: Administering, name: PlanName) -> Response:
    """Holds from the next request on. Less than somebody has takes nothing away: it only lets nothing more in."""
    limits = domain.PlanLimits(**change.model_dump(exclude={"reason"}))
    plan = await administration.put_plan(name, limits, reason=change.reason)
    return untagged(Plan.of(plan))


@router.delete(
    "/plans/{name}",
    operation_id="delete_plan",
    openapi_extra=needs(Reach.ADMIN),
    summary="Delete a plan",
    status_code=204,
    responses={
        204: {"description": "The plan is gone."},
        **problems(
            "/api/admin/plans/large", *ADMIN, domain.PlanNotFound("large"), domain.PlanKept("large", 3), _BAD_REASON
        ),
    },
)
async def delete_plan(
    administration: Administering,
    name: PlanName,
    reason: Annotated[
        str, Query(min_length=1, max_length=domain.REASON_MAX_LENGTH, description="Why, for the audit log.")
    ],
) -> Response:
    """Only one that nobody has, and never `standard`."""
    await administration.delete_plan(name, reason=reason)
    return Response(status_code=204)


@router.get(
    "/limits",
    operation_id="read_limits",
    openapi_extra=needs(Reach.ADMIN),
    summary="Read the limits of the system",
    responses={
        **shows(Limits, LIMITS, "All of them, as they are in force.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/admin/limits", *ADMIN),
    },
)
async def read_limits(
    request: Request, house: TheHouse, administration: Administering, _: IfNoneMatch = None
) -> Response:
    """What each is for and which setting changes it. No secret is among them."""
    await administration.note_limits()
    return tagged(request, Limits(groups=limits_in_force(house, await administration.plans())))
