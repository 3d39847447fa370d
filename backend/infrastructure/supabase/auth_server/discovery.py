"""What a client may ask before anybody signs in, and how it is told what this installation does not offer."""

from typing import Never

from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.calls import Call, require_admin, signed_in
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse

VERSION = "v2.190.0-tidemark"
OTHER_PROVIDERS = frozenset(
    {
        "apple",
        "azure",
        "bitbucket",
        "discord",
        "facebook",
        "figma",
        "fly",
        "github",
        "gitlab",
        "google",
        "kakao",
        "keycloak",
        "linkedin",
        "linkedin_oidc",
        "notion",
        "slack",
        "slack_oidc",
        "snapchat",
        "spotify",
        "twitch",
        "twitter",
        "workos",
        "x",
        "zoom",
    }
)

FACTORS = {"totp": "TOTP", "phone": "Phone", "webauthn": "WebAuthn"}


async def health(house: AuthHouse, call: Call) -> Response:
    return JSONResponse(
        {
            "version": VERSION,
            "name": "GoTrue",
            "description": "GoTrue is a user registration and authentication API",
        }
    )


async def settings(house: AuthHouse, call: Call) -> Response:
    config = house.config
    return JSONResponse(
        {
            "external": {
                "anonymous_users": config.anonymous_users,
                **dict.fromkeys(sorted(OTHER_PROVIDERS), False),
                "email": True,
                "phone": False,
            },
            "disable_signup": config.disable_signup,
            "mailer_autoconfirm": config.autoconfirm,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
            "saml_private_key_next_configured": False,
            "passkeys_enabled": False,
        }
    )


async def jwks(house: AuthHouse, call: Call) -> Response:
    return JSONResponse(house.keys.jwks(), headers={"Cache-Control": "public, max-age=600"})


async def openid_configuration(house: AuthHouse, call: Call) -> Response:
    issuer = house.config.issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        },
        headers={"Cache-Control": "public, max-age=600"},
    )


async def authorize(house: AuthHouse, call: Call) -> Response:
    provider = call.query("provider").lower()
    if provider in OTHER_PROVIDERS:
        raise errors.invalid("Unsupported provider: provider is not enabled")
    raise errors.invalid(f"Unsupported provider: Provider {provider[:40]} could not be found")


async def callback(house: AuthHouse, call: Call) -> Response:
    raise AuthError(400, "bad_oauth_callback", "OAuth state parameter missing")


async def enroll_factor(house: AuthHouse, call: Call) -> Response:
    async with house.reading() as connection:
        await signed_in(house, connection, call)
    wanted = (await call.fields()).text("factor_type")
    if wanted not in FACTORS:
        raise errors.invalid("factor_type needs to be totp, phone, or webauthn")
    raise AuthError(422, f"mfa_{wanted}_enroll_not_enabled", f"MFA enroll is disabled for {FACTORS[wanted]}")


async def factor(house: AuthHouse, call: Call) -> Response:
    async with house.reading() as connection:
        await signed_in(house, connection, call)
    raise AuthError(404, "mfa_factor_not_found", "Factor not found")


async def identity_linking(house: AuthHouse, call: Call) -> Response:
    async with house.reading() as connection:
        await signed_in(house, connection, call)
    raise AuthError(404, "manual_linking_disabled", "Manual linking is disabled")


async def single_sign_on(house: AuthHouse, call: Call) -> Response:
    raise AuthError(404, "saml_provider_disabled", "SAML 2.0 is disabled")


async def admin_extra(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    _not_offered()


async def not_offered(house: AuthHouse, call: Call) -> Response:
    _not_offered()


def _not_offered() -> Never:
    raise AuthError(404, "feature_disabled", "This feature is not offered here")
