"""Supabase Auth (GoTrue) as one self-contained ASGI app over the embedded Postgres."""

from backend.infrastructure.supabase.auth_server.app import AuthServer, create_auth_app
from backend.infrastructure.supabase.auth_server.config import AuthServerConfig, Bucket, RateLimits
from backend.infrastructure.supabase.auth_server.mailbox_app import create_mailbox_app

__all__ = ["AuthServer", "AuthServerConfig", "Bucket", "RateLimits", "create_auth_app", "create_mailbox_app"]
