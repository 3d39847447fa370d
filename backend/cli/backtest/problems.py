"""How the commands of `tidemark backtest` end: errors by the exit codes of the documentation, and gates."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def problems() -> Iterator[None]:
    """Errors by the exit codes of the documentation."""
    from backend.cli.failures import CommandFailed, exit_code_of
    from backend.domain.errors import ConfigurationError, TidemarkError

    try:
        yield
    except ConfigurationError:
        raise
    except TidemarkError as problem:
        words = f"{problem.detail}{_next_step(problem)}"
        raise CommandFailed(problem.code, problem.title, words, exit_code=exit_code_of(problem)) from problem
    except OSError as problem:
        detail = f"{problem.filename or 'A file'}: {problem.strerror}. Choose another place."
        raise CommandFailed("not_written", "A file cannot be written", detail) from problem


def _next_step(problem: Exception) -> str:
    from backend.domain.market_errors import BadBars

    if not isinstance(problem, BadBars):
        return ""
    return " Correct these rows, or leave them out: `tidemark data import FILE --symbol NAME --accept-bad-rows`."


def gates_of(texts: list[str] | None, known: Collection[str]) -> dict[str, float]:
    """Checked before the work: a gate with a wrong name would be told only after it."""
    import math

    from backend.domain.market import closest

    gates = {}
    for text in texts or ():
        name, _, value = text.partition("=")
        name = name.strip()
        try:
            gates[name] = float(value)
        except ValueError:
            gates[name] = math.nan
        if math.isnan(gates[name]):
            raise typer.BadParameter(f"--fail-under {text[:60]}: write it as STATISTIC=VALUE, such as sharpe=1.")
        if name not in known:
            meant = closest(name, list(known), most=1)
            hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(known)}."
            raise typer.BadParameter(f"--fail-under: there is no figure '{name[:60]}'. {hint}")
    return gates


def judge(values: Mapping[str, Any], missing: Mapping[str, str], gates: Mapping[str, float]) -> None:
    """Raises CommandFailed at the first gate that is not met."""
    from backend.cli.failures import CommandFailed, ExitCode
    from backend.domain.format import MINUS

    for name, least in gates.items():
        value = values.get(name)
        if not isinstance(value, int | float):
            why = missing.get(name, f"There is no such statistic. There are: {', '.join(values)}.")
            raise CommandFailed("gate_unmet", f"{name} could not be judged", why, exit_code=ExitCode.GATE_UNMET)
        if value < least:
            found = f"{value:,.4g}".replace("-", MINUS)
            words = f"It is {found}, and --fail-under wants at least {least:,.4g}."
            raise CommandFailed("gate_unmet", f"{name} is too low", words, exit_code=ExitCode.GATE_UNMET)
