"""What the scanner finds: each shape is planted, in files, in history and in logs; what looks alike is left alone."""

import json
import subprocess
from pathlib import Path

import jwt
import pytest

from backend.domain.shares import make_link
from backend.domain.tokens import make_token
from backend.infrastructure.supabase.auth_keys import AuthKeys
from scripts.audit import leaks, repository
from tests.serving import require_no_secrets

KEYS = AuthKeys.generate()
# Put together here, so that this file holds none.
PLANTED = {
    "personal access token": make_token(),
    "secret key of a Supabase project": KEYS.secret_key,
    "signed token": KEYS.sign({"sub": "somebody", "exp": 4_000_000_000}),
    "link to a shared result": f"/shared/{make_link()}",
    "private key": "-----BEGIN PRIVATE " + "KEY-----\n" + "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n",
    "password in an address": "postgres://someone:" + "Tr0ub4dor@db.internal/one",
    "AWS key": "AKIA" + "IOSFODNN7EXAMPL3",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "GitLab token": "glpat-" + "a1B2" * 5,
    "Slack token": "xoxb-" + "1234567890-" * 2 + "abcdef",
    "Google key": "AIza" + "a1B2c" * 7,
    "Stripe key": "sk_live_" + "a1B2" * 6,
    "npm token": "npm_" + "a1B2" * 9,
    "PyPI token": "pypi-AgEIcHlwaS5vcmc" + "a1B2" * 6,
    "key of a model's vendor": "sk-ant-" + "a1B2" * 9,
    "Alpaca key": "PK" + "A1B2C3D4E5F6G7H8I9",
    "named secret": 'api_key = "' + "kQ7vZ2pL9xW4mT8sB3nR6yH1" + '"',
}
HARMLESS = (
    f"tdm_{'a' * 49}",
    "tdm_aaaa...bbbb",
    KEYS.publishable_key,
    "eyJhbGciOiJub25lIn0..",
    "https://user:<password>@host/",
    "https://example.com/path@2x.png",
    "password=[hidden]",
    'token = "correct horse battery staple"',
    'api_key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
    "sha256:4f0e5c7d9a",
)


def test_every_shape_is_planted() -> None:
    assert set(PLANTED) == {shape.kind for shape in leaks.SHAPES}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found_and_not_repeated(kind: str) -> None:
    found = list(leaks.find(f"first line\nbefore {PLANTED[kind]} after", "a.py"))
    assert (kind, 2) in [(leak.kind, leak.line) for leak in found]
    assert PLANTED[kind] not in " ".join(map(str, found))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert list(leaks.find(text, "a.py")) == []


def test_a_known_value_is_found_whatever_its_shape() -> None:
    (leak,) = leaks.find("it said: plain words only", "a.log", values={"the canary": "plain words only"})
    assert leak.kind == "the canary"


def test_what_is_known_to_be_none_has_a_reason_and_is_passed_over() -> None:
    for line in leaks.KNOWN.read_text().splitlines():
        assert line.startswith("#") or len(line.split(maxsplit=1)[1]) > 10, line
    (leak,) = leaks.find("smtp://name:" + "password@mail.example.com", "a.md")
    assert leaks.unknown([leak]) == []


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(("git", *who, *arguments), cwd=folder, check=True, capture_output=True)


def test_what_was_taken_out_is_still_in_the_history(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "settings.py").write_text(f"TOKEN = {PLANTED['GitHub token']!r}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", f"Add {PLANTED['Slack token']}")
    (tmp_path / "settings.py").write_text("TOKEN = None\n")
    git(tmp_path, "commit", "--quiet", "-am", "Take it out")
    assert [list(leaks.find(read.text, read.path)) for read in repository.files(tmp_path)] == [[]]
    old = [leak for read in repository.history(tmp_path) for leak in leaks.find(read.text, read.path)]
    assert {(leak.kind, leak.place.partition("@")[0]) for leak in old} == {
        ("GitHub token", "settings.py"),
        ("Slack token", "commit"),
    }
    assert repository.commits(tmp_path) == (2, True)


def test_without_git_the_files_alone_are_read(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(PLANTED["npm token"])
    (tmp_path / "picture.png").write_bytes(b"\0" + PLANTED["npm token"].encode())
    assert not repository.has_history(tmp_path)
    assert [read.path for read in repository.files(tmp_path)] == ["notes.md"]


@pytest.mark.parametrize("said", ["by shape", "by value", "nothing"])
def test_logs_of_servers_are_searched_for_their_own_secrets_too(tmp_path: Path, said: str) -> None:
    password = "a-password-of-no-shape"
    (tmp_path / "data" / "secrets").mkdir(parents=True)
    (tmp_path / "data" / "secrets" / "postgres.json").write_text(json.dumps({"app_api": password}))
    token = jwt.encode({"sub": "x" * 20}, "k" * 64, "HS256")
    (tmp_path / "data.log").write_text({"by shape": token, "by value": f"as {password}", "nothing": "fine"}[said])
    if said == "nothing":
        require_no_secrets(tmp_path)
        return
    with pytest.raises(AssertionError, match=r"a log shows secrets") as found:
        require_no_secrets(tmp_path)
    assert password not in str(found.value)
