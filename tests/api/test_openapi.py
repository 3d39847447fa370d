"""The API's own description: complete, true to what is answered, and the same as the web app's types."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.api.app import describe_api
from backend.api.scopes import MARK, Reach

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
GENERATOR = FRONTEND / "node_modules" / "openapi-typescript"


def document() -> dict[str, Any]:
    return describe_api().openapi()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in document()["paths"].items() for method, one in methods.items()]


def test_document_is_printed_without_a_database() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "backend.api.openapi"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert json.loads(printed.stdout) == json.loads(json.dumps(document()))


def test_types_of_the_web_app_are_those_of_the_api() -> None:
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node, "Node is missing: ./scripts/test brings it."
    assert GENERATOR.exists(), "openapi-typescript is missing. Install it: cd frontend && npm ci"
    checked = subprocess.run(
        [node, "scripts/types.mjs", "--check"],
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        env={**os.environ, "TIDEMARK_PYTHON": sys.executable},
        check=False,
    )
    assert checked.returncode == 0, (
        f"The API and its TypeScript types differ. Write them again: cd frontend && npm run types\n{checked.stderr}"
    )


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_shows_how_it_is_used(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for status, response in operation["responses"].items():
        assert response["description"]
        if status in ("204", "304"):
            assert "content" not in response
            continue
        for media_type, content in response["content"].items():
            assert content.get("example") or content.get("examples"), (
                f"{method} {path} {status} {media_type} has no example"
            )
            assert (media_type == "application/problem+json") == (int(status) >= 400)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        assert "application/octet-stream" in content or content["application/json"]["example"]


def test_operation_ids_read_well_and_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert all(name.replace("_", "").isalpha() and name.islower() for name in ids)


def test_whatever_needs_a_token_says_so() -> None:
    for path, _, operation in operations():
        needs_token = operation[MARK] != Reach.OPEN
        assert ("401" in operation["responses"]) == bool(operation.get("security")) == needs_token, path
