"""How this auth server behaves: one frozen value, decided where the house is put together."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A burst of `capacity` requests, refilled evenly over `period_seconds`."""

    capacity: int
    period_seconds: float


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """What one network address may ask for; None means as much as it likes."""

    sign_up: Bucket | None = Bucket(capacity=30, period_seconds=300)
    anonymous: Bucket | None = Bucket(capacity=30, period_seconds=3600)
    token: Bucket | None = Bucket(capacity=150, period_seconds=300)
    recover: Bucket | None = Bucket(capacity=30, period_seconds=300)
    resend: Bucket | None = Bucket(capacity=30, period_seconds=300)
    otp: Bucket | None = Bucket(capacity=30, period_seconds=300)
    verify: Bucket | None = Bucket(capacity=30, period_seconds=300)
    change_user: Bucket | None = Bucket(capacity=30, period_seconds=300)
    mails: Bucket | None = Bucket(capacity=30, period_seconds=3600)
    between_mails: timedelta = timedelta(seconds=60)  # to one person, for one purpose

    @classmethod
    def off(cls) -> Self:
        return cls(
            sign_up=None,
            anonymous=None,
            token=None,
            recover=None,
            resend=None,
            otp=None,
            verify=None,
            change_user=None,
            mails=None,
            between_mails=timedelta(0),
        )


@dataclass(frozen=True, kw_only=True)
class AuthServerConfig:
    """Names and defaults follow Supabase Auth; what is not here is not supported."""

    dsn: str = field(repr=False)  # as supabase_auth_admin
    issuer: str  # the public address of this server, such as http://127.0.0.1:8000/auth/v1
    site_url: str  # where links lead when they may lead nowhere else
    redirect_urls: tuple[str, ...] = ()  # further places; * stays between dots and slashes, ** does not

    smtp_url: str | None = field(default=None, repr=False)  # smtp[s]://user:password@host:port?from=name@example.com
    mailbox: bool = False  # keep mails in the development mailbox; never together with smtp_url
    autoconfirm: bool = True
    secure_email_change: bool = True  # both the old and the new address must agree, unless autoconfirm
    disable_signup: bool = False
    anonymous_users: bool = True
    anonymous_lifetime: timedelta = timedelta(days=7)

    min_password_length: int = 8
    password_change_needs_reauthentication: bool = False  # only in sessions older than 24 hours
    password_change_needs_current_password: bool = False

    jwt_expiry_seconds: int = 3600
    refresh_reuse_interval: timedelta = timedelta(seconds=10)
    session_timebox: timedelta | None = None
    otp_expiry: timedelta = timedelta(hours=1)
    flow_state_expiry: timedelta = timedelta(minutes=5)
    wrong_codes_allowed: int = 10  # then the code that was sent stops working

    rate_limits: RateLimits = RateLimits()
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose X-Forwarded-For is believed
    pool_size: int = 8
    concurrent_hashes: int = 2
    waiting_hashes: int = 200
