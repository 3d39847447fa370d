"""The keys of the embedded project: made once, kept private, rotated without signing anybody out."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from backend.domain.errors import DataDirectoryUnusable
from backend.infrastructure.supabase.auth_keys import AuthKeys


def test_they_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "auth.json"
    made = AuthKeys.load_or_create(path)
    assert AuthKeys.load_or_create(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["auth.json"]


def test_all_who_start_at_once_hold_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(AuthKeys.load_or_create, [tmp_path / "auth.json"] * 8))
    assert all(keys == found[0] for keys in found)


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    AuthKeys.load_or_create(path)
    path.chmod(0o644)
    AuthKeys.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"signing_keys": [{}]}', '{"signing_keys": []}'])
def test_a_damaged_file_is_said_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(content)
    with pytest.raises(DataDirectoryUnusable, match="Restore it from a backup"):
        AuthKeys.load_or_create(path)
    assert path.read_text() == content


def test_both_styles_of_keys() -> None:
    keys = AuthKeys.generate()
    assert keys.publishable_key.startswith("sb_publishable_")
    assert keys.secret_key.startswith("sb_secret_")
    for token, role in ((keys.anon_key, "anon"), (keys.service_role_key, "service_role")):
        claims = jwt.decode(token, keys.jwt_secret, algorithms=["HS256"])
        assert claims["role"] == role
        assert "sub" not in claims


def test_its_repr_tells_no_secret() -> None:
    keys = AuthKeys.generate()
    shown = repr(keys)
    for secret in (keys.secret_key, keys.service_role_key, keys.jwt_secret, "PRIVATE KEY"):
        assert secret not in shown


def test_public_keys_only_are_published() -> None:
    published = json.dumps(AuthKeys.generate().jwks())
    assert '"d"' not in published
    assert '"oct"' not in published


def test_rotation_keeps_older_tokens_valid_while_they_live(tmp_path: Path) -> None:
    before = AuthKeys.generate()
    old_token = before.sign({"sub": "x"})
    after = before.rotated(now=1000)
    assert after.signing_key.kid != before.signing_key.kid
    published = jwt.PyJWKSet.from_dict(after.jwks())
    assert jwt.decode(old_token, published[before.signing_key.kid], algorithms=["ES256"]) == {"sub": "x"}
    assert jwt.get_unverified_header(after.sign({}))["kid"] == after.signing_key.kid
    much_later = after.rotated(now=1000 + 3601)
    assert [key.kid for key in much_later.signing_keys][1:] == [after.signing_key.kid]
    assert much_later.verification_key(before.signing_key.kid) is None
    path = tmp_path / "auth.json"
    after.save(path)
    assert AuthKeys.load_or_create(path) == after
