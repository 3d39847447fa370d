"""A search that learns where good parameters lie (Optuna's TPE), with the trials and the ledger of a sweep.

It finds a good corner of a large space with few trials. It finds luck sooner too, so its result is judged as any other.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from backend.backtesting.course import Course
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.space import Combination, ParameterSpace, Value
from backend.backtesting.sweep import MOST_TRIALS, Run, never, silent, untold
from backend.backtesting.trying import Cancelled, Report, Told, Trier, Wanted
from backend.domain.optimisation_errors import TooManyTrials

# So many are proposed before their results are told: threads have work, and a seed gives the same whatever the machine.
_AT_ONCE: Final = 8
# Proposals that were made before or that the strategy does not take, for each trial that was asked for.
_BLANKS: Final = 20
# Before a combination that is not known yet is looked for one by one.
_DRAWS: Final = 1_000
# Optuna ranks by this where there is nothing to rank: it has no word for "missing".
_WORST: Final = -1e300


def search(
    course: Course,
    space: ParameterSpace,
    objective: Objective,
    *,
    trials: int,
    seed: int = 0,
    ledger: Ledger | None = None,
    report: Report = silent,
    told: Told = untold,
    is_cancelled: Cancelled = never,
) -> Optimisation:
    """At most so many different trials; fewer where the space has no more. Raises what `sweep` raises."""
    if trials > MOST_TRIALS:
        raise TooManyTrials(combinations=trials, most=MOST_TRIALS)
    trier = Trier(course)
    run = Run(trier=trier, space=space, objective=objective, method="tpe", seed=seed, ledger=ledger)
    guide = _Guide(space, objective, seed)
    most = min(trials, space.combinations)
    report("searching", 0.0, f"{most:,} trials of {', '.join(space.names)}")
    while (
        len(run.trials) < most and guide.proposed < _BLANKS * most + _AT_ONCE and len(guide.known) < space.combinations
    ):
        wanted = guide.propose(min(_AT_ONCE, most - len(run.trials)))
        for batch in trier.in_order(wanted):
            run.add(batch)
            guide.learn(batch.combinations, objective.scores(batch.values).tolist())
        report("searching", 100.0 * len(run.trials) / most, f"{len(run.trials):,} trials")
        told(len(run.trials), most, run.best)
        if is_cancelled():
            run.is_cancelled = True
            break
    return run.done(guide.skipped, guide.why)


class _Guide:
    """Optuna's sampler over the places of values, so that it knows their order and we keep the values themselves."""

    def __init__(self, space: ParameterSpace, objective: Objective, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self.known: dict[Combination, float] = {}
        self.skipped, self.proposed = 0, 0
        self.why: str | None = None
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._dice = random.Random(seed)  # noqa: S311  # a lot, not a secret
        self._open: dict[Combination, list[optuna.trial.Trial]] = {}
        self._scales = {name: _scale(values) for name, values in space.values.items()}

    def propose(self, count: int) -> list[Wanted]:
        """New combinations that the strategy takes; what it does not take is told to be the worst there is."""
        wanted: list[Wanted] = []
        for _ in range(count):
            self.proposed += 1
            combination, asked = self._next()
            if combination is None:
                return wanted
            self._open[combination] = asked
            parameters = self.space.parameters(combination)
            if isinstance(parameters, str):
                self.skipped, self.why = self.skipped + 1, self.why or parameters
                self.learn([combination], [_WORST])
            else:
                wanted.append((combination, parameters))
        return wanted

    def _next(self) -> tuple[Combination | None, list[optuna.trial.Trial]]:
        """What the sampler proposes; where that is known already and teaches nothing, another one by lot."""
        asked = self._study.ask(self._scales)
        combination = self._combination(asked.params)
        if combination in self.known:
            self._study.tell(asked, self.known[combination])
        elif combination in self._open:
            self._open[combination].append(asked)
        else:
            return combination, [asked]
        return self._unseen(), []

    def learn(self, combinations: Sequence[Combination], scores: Sequence[float]) -> None:
        for combination, score in zip(combinations, scores, strict=True):
            self.known[combination] = max(score, _WORST)
            asked = self._open.pop(combination)
            for each in asked:
                self._study.tell(each, self.known[combination])
            if not asked:
                self._study.add_trial(
                    optuna.trial.create_trial(
                        params=self._places(combination), distributions=self._scales, value=self.known[combination]
                    )
                )

    def _unseen(self) -> Combination | None:
        for _ in range(_DRAWS):
            combination = self.space.at(self._dice.randrange(self.space.combinations))
            if combination not in self.known and combination not in self._open:
                return combination
        return next((each for each in self.space if each not in self.known and each not in self._open), None)

    def _combination(self, places: Mapping[str, Any]) -> Combination:
        return tuple(self.space.values[name][int(places[name])] for name in self.space.names)

    def _places(self, combination: Combination) -> dict[str, int]:
        return {
            name: self.space.values[name].index(value)
            for name, value in zip(self.space.names, combination, strict=True)
        }


def _scale(values: tuple[Value, ...]) -> BaseDistribution:
    if all(type(value) in (int, float) for value in values):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(list(range(len(values))))
