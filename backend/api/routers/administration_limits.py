"""The limits of the system as they are in force, in words: gathered from where each of them is kept."""

from collections.abc import Sequence

from backend.api import limits as edge
from backend.api.routers.administration_shapes import Limit, LimitGroup
from backend.api.sockets import LARGEST_MESSAGE_BYTES
from backend.api.streams import MOST_STREAMS_OF_A_USER
from backend.api.watching import MOST_ROOMS
from backend.api.wire import LARGEST_HEAD_BYTES
from backend.bootstrap import House
from backend.domain import administration as domain
from backend.domain.backtests import DELETED_ARE_KEPT_FOR
from backend.domain.events import EVENTS_ARE_KEPT_FOR
from backend.domain.exchange_keys import MOST_KEYS
from backend.domain.job_data import LARGEST_PAYLOAD_BYTES, LARGEST_RESULT_BYTES
from backend.domain.jobs import KINDS, LEASE_SECONDS
from backend.domain.market_ports import LARGEST_UPLOAD_BYTES
from backend.domain.ports import ANSWERS_ARE_KEPT_FOR, RateLimit
from backend.domain.shares import MOST_LIVE_SHARES
from backend.domain.tokens import LONGEST_LIFE_DAYS, MOST_LIVE_TOKENS

_BY_PLAN = {
    "most_queued": ("tasks", "How many tasks of a user wait at once."),
    "most_running": ("tasks", "How many tasks of a user run at once."),
    "most_backtests": ("backtests", "How many finished backtests a user keeps."),
    "most_models": ("models", "How many models a user keeps."),
}
_RATES = {
    edge.ADDRESS_READS: "Reads from one address, whoever asks.",
    edge.ADDRESS_WRITES: "Changes from one address, whoever asks.",
    edge.USER_READS: "Reads of one user.",
    edge.USER_WRITES: "Changes of one user.",
    edge.KEY_TRIES: "Exchange keys of one user that are tried at their exchange.",
}


def limits_in_force(house: House, plans: Sequence[domain.PlanInUse]) -> list[LimitGroup]:
    return [
        *(_plan(plan) for plan in plans),
        LimitGroup(name="Everybody's own things", limits=_OWN),
        LimitGroup(name="Disk", limits=_disk(house)),
        LimitGroup(name="The machine", limits=_machine(house)),
        LimitGroup(name="How long a task may run", limits=_TASKS),
        LimitGroup(name="Requests", limits=_requests(house)),
        LimitGroup(name="Kept for", limits=_KEPT),
    ]


def _fixed(name: str, value: float, unit: str, meaning: str) -> Limit:
    return Limit(name=name, value=value, unit=unit, meaning=meaning, setting=None)


def _plan(plan: domain.PlanInUse) -> LimitGroup:
    return LimitGroup(
        name=f"Plan {plan.name}",
        limits=[
            Limit(name=name, value=getattr(plan.limits, name), unit=unit, meaning=meaning, setting="plan")
            for name, (unit, meaning) in _BY_PLAN.items()
        ],
    )


def _disk(house: House) -> list[Limit]:
    settings = house.settings
    return [
        Limit(
            name="cache",
            value=settings.cache_bytes,
            unit="bytes",
            meaning="Fetched series of all together; beyond it what was not used for longest goes.",
            setting="TIDEMARK_CACHE_GIB",
        ),
        Limit(
            name="user_disk",
            value=settings.user_disk_bytes,
            unit="bytes",
            meaning="Imported series and uploads of one user.",
            setting="TIDEMARK_USER_DISK_GIB",
        ),
        _fixed("upload", LARGEST_UPLOAD_BYTES, "bytes", "One uploaded file."),
    ]


def _machine(house: House) -> list[Limit]:
    capacity = house.resources.capacity()
    return [
        _fixed("cores", capacity.cores, "cores", "What all running tasks may take together."),
        _fixed("memory", capacity.memory_bytes, "bytes", "What all running tasks may take together."),
        _fixed("lease", LEASE_SECONDS, "seconds", "A task whose process tells nothing for so long runs again."),
        _fixed("payload", LARGEST_PAYLOAD_BYTES, "bytes", "What goes into one task."),
        _fixed("result", LARGEST_RESULT_BYTES, "bytes", "What comes out of one task."),
    ]


def _requests(house: House) -> list[Limit]:
    is_off = house.limiter is None
    return [
        *(_rate(rate, meaning, is_off=is_off) for rate, meaning in _RATES.items()),
        _fixed("body", edge.LARGEST_BODY_BYTES, "bytes", "The body of a request, uploads apart."),
        _fixed("head", LARGEST_HEAD_BYTES, "bytes", "The path and headers of a request together."),
        _fixed("streams", MOST_STREAMS_OF_A_USER, "streams", "Streams of events of one user in one process."),
        _fixed("rooms", MOST_ROOMS, "rooms", "What one WebSocket watches at once."),
        _fixed("message", LARGEST_MESSAGE_BYTES, "bytes", "One message on a WebSocket."),
    ]


def _rate(rate: RateLimit, meaning: str, *, is_off: bool) -> Limit:
    span = "minute" if rate.window_seconds == 60 else "hour"
    return Limit(
        name=rate.name,
        value="off" if is_off else rate.requests,
        unit=f"requests a {span}",
        meaning=meaning,
        setting="TIDEMARK_RATE_LIMITS",
    )


_OWN = [
    _fixed("exchange_keys", MOST_KEYS, "keys", "Exchange keys of one user."),
    _fixed("tokens", MOST_LIVE_TOKENS, "tokens", "Live personal access tokens of one user."),
    _fixed("token_life", LONGEST_LIFE_DAYS, "days", "How long a personal access token may live."),
    _fixed("shares", MOST_LIVE_SHARES, "links", "Live links to results of one user."),
]
_TASKS = [
    _fixed(kind.value, rules.wall_limit_seconds, "seconds", f"Then it is stopped; {rules.max_attempts} attempts.")
    for kind, rules in KINDS.items()
]
_KEPT = [
    _fixed("events", EVENTS_ARE_KEPT_FOR.days, "days", "Events, for streams that come back."),
    _fixed("deleted_backtests", DELETED_ARE_KEPT_FOR.days, "days", "Deleted backtests, in case they are wanted back."),
    _fixed(
        "answers", ANSWERS_ARE_KEPT_FOR.total_seconds() / 3600, "hours", "Answers to requests with an Idempotency-Key."
    ),
]
