"""`tidemark backtest guard`: does a strategy look into the future?"""

import json
from dataclasses import asdict

from backend.cli.backtest.choices import AsJson, Param, Seed, SeriesChoice, Strategy, TradingRules, parameters
from backend.cli.backtest.problems import problems
from backend.cli.option_groups import with_groups

GUARDS = ("look_ahead", "recursive", "shuffled")


@with_groups
def guard(
    *,
    strategy: Strategy,
    param: Param = None,
    series: SeriesChoice,
    rules: TradingRules,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Ask a strategy hundreds of times with less and with other history: 6 when it knows what it cannot know."""
    from backend.cli.failures import CommandFailed, ExitCode
    from backend.cli.terminal import clean

    with problems():
        given = parameters(param)
        from backend.backtesting.verdicts import trust_document
        from backend.research.running import run_backtest

        trust = run_backtest(strategy, series.load(), given, asdict(rules), seed=seed).ask(GUARDS)
    document = trust_document(trust)
    if as_json:
        print(json.dumps({"strategy": strategy, "checks": document["checks"]}, indent=2))
    else:
        for check in trust.checks:
            print(clean(f"{check.verdict:<9} {check.title}: {check.sentence}"))
    found = trust["look_ahead"]
    if found.verdict == "bad":
        raise CommandFailed("look_ahead", "It looks ahead", found.sentence, exit_code=ExitCode.GATE_UNMET)
