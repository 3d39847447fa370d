"""Settings: defaults that work, mistakes that are named, secrets that stay out of messages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.domain.errors import ConfigurationError
from backend.settings import Settings, given_names, read_settings, unknown_names

PROJECT = {
    "DATABASE_URL": "postgresql://postgres:top-secret@db.example.com:5432/postgres",
    "SUPABASE_URL": "https://abc.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
}

Read = Callable[..., Settings]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read the settings from this environment and nothing else."""

    def read_from(**environment: str) -> Settings:
        for name in [
            *PROJECT,
            "SUPABASE_ANON_KEY",
            "SUPABASE_SERVICE_ROLE_KEY",
            "SUPABASE_JWT_SECRET",
            "ENCRYPTION_KEY",
        ]:
            monkeypatch.delenv(name, raising=False)
        for name in Settings.model_fields:
            monkeypatch.delenv(f"TIDEMARK_{name.upper()}", raising=False)
        for name, value in {"TIDEMARK_ENV_FILE": "", **environment}.items():
            monkeypatch.setenv(name, value)
        return read_settings()

    return read_from


def test_nothing_needs_to_be_set(read: Read) -> None:
    settings = read()
    assert settings.embedded
    assert settings.host == "127.0.0.1"
    assert settings.shows_mailbox


def test_empty_is_the_same_as_unset(read: Read) -> None:
    assert read(DATABASE_URL="", TIDEMARK_PORT="").embedded


@pytest.mark.parametrize("missing", PROJECT)
def test_half_a_project_names_what_is_missing(read: Read, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"missing: {missing}") as problem:
        read(**{name: value for name, value in PROJECT.items() if name != missing})
    assert "top-secret" not in problem.value.detail


def test_a_whole_project_is_taken_under_new_and_old_names(read: Read) -> None:
    assert not read(**PROJECT).embedded
    older = {"SUPABASE_ANON_KEY": "eyJ.a.b", "SUPABASE_SERVICE_ROLE_KEY": "eyJ.c.d"}
    settings = read(DATABASE_URL=PROJECT["DATABASE_URL"], SUPABASE_URL=PROJECT["SUPABASE_URL"], **older)
    assert settings.supabase_secret_key is not None
    assert settings.supabase_secret_key.get_secret_value() == "eyJ.c.d"


@pytest.mark.parametrize("name", ["ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS"])
def test_a_master_key_is_32_bytes_and_its_error_does_not_repeat_it(read: Read, name: str) -> None:
    settings = read(**{name: "A" * 43 + "="})
    assert getattr(settings, name.lower()).get_secret_value() == "A" * 43 + "="
    with pytest.raises(ConfigurationError, match=f"{name} must be 32 random bytes in base64") as problem:
        read(**{name: "too-short-to-be-one"})
    assert "too-short" not in problem.value.detail


def test_a_secret_key_in_the_place_of_the_public_one_is_refused(read: Read) -> None:
    with pytest.raises(ConfigurationError, match="must be the publishable key") as problem:
        read(**{**PROJECT, "SUPABASE_PUBLISHABLE_KEY": "sb_secret_oops"})
    assert "oops" not in problem.value.detail


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TIDEMARK_PORT", "70000", "less than or equal to 65535"),
        ("TIDEMARK_PORT", "eighty", "valid integer"),
        ("TIDEMARK_LOG_LEVEL", "loud", "'debug', 'info'"),
        ("TIDEMARK_PUBLIC_URL", "tidemark.example.com", "address without a path"),
        ("TIDEMARK_PUBLIC_URL", "https://example.com/tidemark", "address without a path"),
        ("TIDEMARK_HOST", " ", "must name an address"),
        ("TIDEMARK_TRUSTED_PROXIES", "127.0.0.1,proxy", "not proxy"),
        ("TIDEMARK_CORS_ORIGINS", "*", "must hold origins"),
        ("TIDEMARK_REDIRECT_URLS", "research.example.com", "must hold addresses"),
        ("TIDEMARK_SMTP_URL", "mail.example.com", "must look like smtp://"),
        ("TIDEMARK_ENV_FILE", "/nowhere/env", "no such file"),
        ("TIDEMARK_ENV", "prod", "must be 'development' or 'production'"),
    ],
)
def test_a_mistake_is_named_with_its_setting(read: Read, name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as problem:
        read(**{name: value})
    assert name in problem.value.detail
    assert words in problem.value.detail


def test_an_empty_host_is_no_way_to_open_every_network() -> None:
    with pytest.raises(ConfigurationError, match="TIDEMARK_HOST must name an address"):
        read_settings(host="")


def test_a_database_address_must_be_one_of_postgres(read: Read) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL must look like postgresql://"):
        read(**{**PROJECT, "DATABASE_URL": "mysql://root:top-secret@db/x"})


def test_lists_are_split_at_commas(read: Read) -> None:
    assert read(TIDEMARK_CORS_ORIGINS="https://a.example, https://b.example,").cors_origins == (
        "https://a.example",
        "https://b.example",
    )


@pytest.mark.parametrize(
    "exposure",
    [
        {"TIDEMARK_HOST": "0.0.0.0"},
        {"TIDEMARK_ENV": "production"},
        {"TIDEMARK_SMTP_URL": "smtp://mail.example.com"},
        {"TIDEMARK_TRUSTED_PROXIES": "127.0.0.1"},
        PROJECT,
    ],
)
def test_the_mailbox_is_shown_on_a_developers_own_machine_only(read: Read, exposure: dict[str, str]) -> None:
    assert not read(**exposure).shows_mailbox


def test_a_file_of_settings_is_read_and_the_environment_wins(read: Read, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("TIDEMARK_PORT=9001\nTIDEMARK_LOG_LEVEL=debug\n")
    settings = read(TIDEMARK_ENV_FILE=str(tmp_path / "env"), TIDEMARK_PORT="9002")
    assert (settings.port, settings.log_level) == (9002, "debug")


def test_the_repr_of_settings_shows_no_secret(read: Read) -> None:
    assert "top-secret" not in repr(read(**PROJECT))
    assert "sb_secret_x" not in repr(read(**PROJECT))


def test_a_misspelt_name_is_recognised() -> None:
    assert unknown_names({"TIDEMARK_PROT": "1", "PATH": "x"}) == {"TIDEMARK_PROT": "TIDEMARK_PORT"}
    assert unknown_names({"TIDEMARK_PORT": "1"}) == {}


def test_a_misspelt_name_in_the_file_of_settings_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("TIDEMARK_PROT=9001\n")
    monkeypatch.setenv("TIDEMARK_ENV_FILE", str(tmp_path / "env"))
    assert unknown_names(given_names()) == {"TIDEMARK_PROT": "TIDEMARK_PORT"}


def test_models_in_storage_need_a_project(read: Read) -> None:
    with pytest.raises(ConfigurationError, match=r"TIDEMARK_MODEL_FILES=supabase.*DATABASE_URL"):
        read(TIDEMARK_MODEL_FILES="supabase")
    settings = read(TIDEMARK_MODEL_FILES="supabase", **PROJECT)
    assert (settings.model_files, settings.models_bucket) == ("supabase", "tidemark-models")


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "x" * 64])
def test_a_bucket_has_a_name_that_storage_takes(read: Read, name: str) -> None:
    if name:
        with pytest.raises(ConfigurationError, match="TIDEMARK_MODELS_BUCKET"):
            read(TIDEMARK_MODELS_BUCKET=name)
    else:
        assert read(TIDEMARK_MODELS_BUCKET=name).models_bucket == "tidemark-models"
