"""This machine's environment, read once. Run configurations are something else: they live in the domain."""

import difflib
import hashlib
import ipaddress
import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from backend.domain.errors import ConfigurationError

REPOSITORY = Path(__file__).resolve().parent.parent
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

# What a real Supabase project needs, together; the second name is the one that older projects use.
PROJECT_NAMES = {
    "database_url": ("DATABASE_URL",),
    "supabase_url": ("SUPABASE_URL",),
    "supabase_publishable_key": ("SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"),
    "supabase_secret_key": ("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"),
}

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


def default_data_dir() -> Path:
    """`.tidemark` in the clone. Postgres never runs as root: under /var/lib when another user can't reach the clone."""
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in (REPOSITORY, *REPOSITORY.parents)):
        return Path("/var/lib/tidemark") / hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]
    return REPOSITORY / ".tidemark"


def default_cache_dir() -> Path:
    return REPOSITORY / "data_cache"


class Settings(BaseSettings):
    """Every setting has a default that works. `docs/reference/settings.md` is made from this."""

    model_config = SettingsConfigDict(
        env_prefix="TIDEMARK_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    env: Literal["development", "production"] = Field(
        default="development", description="`production` switches the development mailbox off."
    )
    host: str = Field(
        default="127.0.0.1", description="The address to bind to; anything but loopback opens Tidemark to the network."
    )
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="A port that is set and taken is an error; left out, 8000 or the next free one.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where the database, keys and logs are kept; below `/var/lib/tidemark` for root in a closed clone.",
    )
    cache_dir: Path = Field(
        default_factory=default_cache_dir,
        description="Where bars, uploaded files, models and saved runs are kept; made when it is missing.",
    )
    strategies_dir: Path | None = Field(
        default=None,
        description="A folder of strategies in Python; whoever may write there runs code as the server.",
    )
    public_url: str | None = Field(
        default=None, description="What people type, when a proxy stands in front: `https://tidemark.example.com`."
    )
    cors_origins: CommaSeparated = Field(
        default=(), description="Other origins whose pages may call the API and open its WebSocket."
    )
    redirect_urls: CommaSeparated = Field(
        default=(), description="Further places that links in mails may lead to; `*` and `**` as in Supabase."
    )
    trusted_proxies: CommaSeparated = Field(
        default=(), description="Addresses whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None, description="Left out: text on a terminal, else one JSON line for each event."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Lets a Prometheus elsewhere read `/metrics`; this machine needs none, unless a proxy is trusted.",
    )
    rate_limits: Literal["on", "off"] = Field(default="on", description="`off` for load tests.")
    smtp_url: SecretStr | None = Field(
        default=None,
        description="`smtp://user:password@mail.example.com:587?from=tidemark@example.com`, or `smtps://`.",
    )

    task_niceness: int = Field(
        default=10,
        ge=0,
        le=19,
        description=(
            "How far tasks step back behind the server and the database for processor time: 0 not at all, 19 most."
            " Another value than 10 is for a machine that serves nobody meanwhile, or where many wait for answers."
        ),
    )
    cache_gib: float = Field(
        default=20.0,
        gt=0,
        description="GiB that fetched series may take; those not used for longest go first, each hour.",
    )
    user_disk_gib: float = Field(
        default=5.0,
        gt=0,
        description="GiB that each user's imported series, uploaded files and models may take together.",
    )
    model_files: Literal["folder", "supabase"] = Field(
        default="folder",
        description="Where trained models are kept: `models/` in the cache folder, or the Storage of the project.",
    )
    models_bucket: str = Field(
        default="tidemark-models",
        pattern=r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$",
        description="The private bucket in that Storage; made when it is missing.",
    )

    crypto_exchanges: CommaSeparated = Field(
        default=("binance", "kraken", "coinbase"),
        description="The exchanges that bars are offered from, as ccxt names them.",
    )
    alpaca_key_id: SecretStr | None = Field(
        default=None, description="The key of an Alpaca account; without it Alpaca is listed as not available."
    )
    alpaca_secret_key: SecretStr | None = Field(default=None, description="Its secret.")
    alpaca_paper: bool = Field(default=True, description="Whether the key is of a paper account.")
    alpaca_feed: Literal["sip", "iex"] = Field(default="sip", description="Which feed its plan has.")
    alpaca_delay_minutes: float = Field(
        default=16.0,
        ge=0,
        description="How old the newest bars of the feed `sip` have to be; 0 with a plan that has no delay.",
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="A Supabase project instead of the embedded database: the address of its Postgres, as its owner.",
    )
    database_pooler_url: SecretStr | None = Field(
        default=None, description="The project's transaction pooler, for the requests of users."
    )
    supabase_url: str | None = Field(
        default=None, validation_alias="SUPABASE_URL", description="The address of the project."
    )
    supabase_publishable_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(*PROJECT_NAMES["supabase_publishable_key"]),
        description="The key that browsers get; the second name is that of older projects.",
    )
    supabase_secret_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(*PROJECT_NAMES["supabase_secret_key"]),
        description="The key of the service; the second name is that of older projects.",
    )
    supabase_jwt_secret: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_JWT_SECRET",
        description="Only for projects that still sign with a shared secret.",
    )

    # 32 bytes in base64. The embedded database has a file in their place.
    encryption_key: SecretStr | None = Field(
        default=None,
        validation_alias="ENCRYPTION_KEY",
        description="The master key of exchange keys: 32 random bytes in base64. A project needs it; else it is made.",
    )
    encryption_key_previous: SecretStr | None = Field(
        default=None,
        validation_alias="ENCRYPTION_KEY_PREVIOUS",
        description="The one before, while the master key is changed.",
    )

    @field_validator("cors_origins", "redirect_urls", "trusted_proxies", "crypto_exchanges", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("host")
    @classmethod
    def _named_host(cls, value: str) -> str:
        if not value.strip():  # to a socket an empty host means every network
            raise ValueError("must name an address, such as 127.0.0.1, or 0.0.0.0 for every network")
        return value.strip()

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"must hold addresses such as 127.0.0.1 or 10.0.0.0/8, not {part}") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            address = urlsplit(part)
            if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
                raise ValueError(f"must hold origins such as https://research.example.com, not {part}")
        return value

    @field_validator("redirect_urls")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            if "://" not in part:
                raise ValueError(f"must hold addresses such as https://research.example.com/**, not {part}")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
                raise ValueError("must look like smtp://USER:PASSWORD@HOST:587?from=tidemark@example.com")
        return value

    @field_validator("crypto_exchanges")
    @classmethod
    def _exchange_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            if not re.fullmatch(r"[a-z0-9_]{1,30}", part):
                raise ValueError(f"must hold names as ccxt has them, such as binance,kraken, not {part}")
        return tuple(dict.fromkeys(value))

    @field_validator("data_dir", "cache_dir", "strategies_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("public_url", "supabase_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be an address without a path, such as https://tidemark.example.com")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("database_url", "database_pooler_url")
    @classmethod
    def _postgres_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.username:
                raise ValueError("must look like postgresql://postgres:PASSWORD@HOST:5432/postgres")
        return value

    @field_validator("supabase_publishable_key")
    @classmethod
    def _not_the_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("sb_secret_"):
            raise ValueError("holds a secret key; browsers get this one, so it must be the publishable key")
        return value

    @field_validator("encryption_key", "encryption_key_previous")
    @classmethod
    def _thirty_two_bytes(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", value.get_secret_value().strip()):
            raise ValueError("must be 32 random bytes in base64; `openssl rand -base64 32` makes some")
        return value

    @model_validator(mode="after")
    def _whole_or_nothing(self) -> Self:
        missing = [" or ".join(names) for field, names in PROJECT_NAMES.items() if getattr(self, field) is None]
        if 0 < len(missing) < len(PROJECT_NAMES):
            present = [" or ".join(names) for field, names in PROJECT_NAMES.items() if getattr(self, field) is not None]
            raise ValueError(
                f"A Supabase project needs all of its settings: {', '.join(present)} "
                f"{'is' if len(present) == 1 else 'are'} set, but missing: {', '.join(missing)}. "
                "Set the missing ones, or none of them to use the embedded database"
            )
        return self

    @model_validator(mode="after")
    def _storage_of_a_project(self) -> Self:
        if self.model_files == "supabase" and self.database_url is None:
            raise ValueError(
                "TIDEMARK_MODEL_FILES=supabase keeps models in the Storage of a Supabase project, and none is set. "
                f"Set {', '.join(names[0] for names in PROJECT_NAMES.values())}, or leave it at 'folder'"
            )
        return self

    @property
    def embedded(self) -> bool:
        return self.database_url is None

    @property
    def cache_bytes(self) -> int:
        return round(self.cache_gib * 1024**3)

    @property
    def user_disk_bytes(self) -> int:
        return round(self.user_disk_gib * 1024**3)

    @property
    def binds_to_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS

    @property
    def shows_mailbox(self) -> bool:
        """The mailbox holds everybody's codes, so it is for a developer's own machine and nowhere else."""
        return (
            self.embedded
            and self.env == "development"
            and self.binds_to_loopback
            and self.smtp_url is None
            and not self.trusted_proxies
        )

    @property
    def logs_as_text(self) -> bool:
        return sys.stderr.isatty() if self.log_format is None else self.log_format == "text"


def read_settings(**overrides: Any) -> Settings:
    """The environment, overridden by what the command line says; a mistake is one error that names every finding."""
    try:
        return Settings(
            _env_file=_settings_file(), **{name: value for name, value in overrides.items() if value is not None}
        )
    except ValidationError as problem:
        findings = []
        for error in problem.errors(include_url=False, include_input=False):
            name = _environment_name(str(error["loc"][0])) if error["loc"] else ""
            reason = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            findings.append(f"{name} {reason.partition(', unable to')[0]}".strip())
        raise ConfigurationError("; ".join(findings) + ".") from None


def _settings_file() -> Path | None:
    """`.env` in the clone, if there is one; a file that was named must be there, or a project would be left unused."""
    named = os.environ.get("TIDEMARK_ENV_FILE")
    if named == "":
        return None
    if named is not None and not Path(named).is_file():
        raise ConfigurationError(f"TIDEMARK_ENV_FILE names {named}, and there is no such file.")
    return Path(named or REPOSITORY / ".env")


def given_names() -> set[str]:
    """The names that the environment and the file of settings hold, known or not."""
    file = os.environ.get("TIDEMARK_ENV_FILE", str(REPOSITORY / ".env"))
    in_file = DotEnvSettingsSource(Settings, env_file=file).env_vars if file else {}
    return {*os.environ, *(name.upper() for name in in_file)}


def unknown_names(given: Collection[str]) -> dict[str, str | None]:
    """TIDEMARK_ variables that mean nothing here, each with the name that was probably meant."""
    known = {_environment_name(name) for name in Settings.model_fields} | {
        "TIDEMARK_ENV_FILE",
        "TIDEMARK_PYTHON",
        "TIDEMARK_SERVER",
        "TIDEMARK_TOKEN",
    }
    unknown = sorted(name for name in given if name.startswith("TIDEMARK_") and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), None) for name in unknown}


def _environment_name(field: str) -> str:
    if field.isupper():
        return field
    plain = field in ("supabase_jwt_secret", "encryption_key", "encryption_key_previous")
    return PROJECT_NAMES.get(field, (field.upper() if plain else f"TIDEMARK_{field.upper()}",))[0]
