"""What a card comes to, in words for people: whether its predictions may be trusted, and why or why not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.format import change, fixed, ratio

FEWEST_OUTCOMES: Final = 60
FEWEST_FOLDS_SHARE: Final = 0.75
_OUTSIDE_SHARE: Final = 0.35
FAR_OFF: Final = 0.02

Card = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing to know. `code` is for programs."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Trusted ones say what they found, the others what stands against them, the gravest first."""

    is_trusted: bool
    headline: str
    reasons: tuple[Reason, ...]

    def document(self) -> dict[str, Any]:
        return {
            "is_trusted": self.is_trusted,
            "headline": self.headline,
            "reasons": [{"code": reason.code, "text": reason.text} for reason in self.reasons],
        }


HEADLINES: Final = {
    "leak": "Do not use it: a feature seems to know the future.",
    "control": "Do not use it: it scored on shuffled labels, where nothing can be learned.",
    "too_few_rows": "There is too little history to say whether it can predict.",
    "no_signal": "No signal: it does not predict better than chance.",
    "baseline": "A plain forecast does as well.",
    "folds": "It worked at some times and not at others.",
    "calibration": "Its probabilities are not what they say.",
    "costs": "There is a signal, but it does not pay its costs.",
}


def verdict_of(card: Card) -> Verdict:
    """From `spec`, `pooled`, `folds`, `baselines`, `controls`, `calibration` and `deciles` of a card."""
    asked: Sequence[Callable[[Card], Reason | None]] = (
        _leak,
        _control,
        _too_few_rows,
        _no_signal,
        _baseline,
        _folds,
        _calibration,
        _costs,
    )
    against = tuple(reason for ask in asked if (reason := ask(card)))
    if against:
        return Verdict(is_trusted=False, headline=HEADLINES[against[0].code], reasons=against)
    return Verdict(is_trusted=True, headline=_found(card), reasons=(_signal(card), _paid(card)))


def _leak(card: Card) -> Reason | None:
    found = card["controls"]["leaks"]
    if not found:
        return None
    more = f" The same is true of {_others(len(found) - 1)}." if len(found) > 1 else ""
    return Reason(code="leak", text=found[0]["text"] + more)


def _others(count: int) -> str:
    return "one more feature" if count == 1 else f"{count} more features"


def _control(card: Card) -> Reason | None:
    shuffled = card["controls"].get("shuffled")
    if not shuffled or shuffled["passed"]:
        return None
    words = (
        f"Taught with shuffled labels it had an AUC of {_between(shuffled['auc'])}, where 0.50 is all that can be."
        " Something of the answers gets through, so no figure here can be believed."
    )
    return Reason(code="control", text=words)


def _too_few_rows(card: Card) -> Reason | None:
    rows, horizon = card["pooled"]["rows"], card["spec"]["horizon"]
    outcomes = rows // (horizon + 1)
    if outcomes >= FEWEST_OUTCOMES:
        return None
    words = (
        f"It was tried on {rows:,} bars. With a horizon of {horizon:,} bars that is about {outcomes:,} outcomes that do"
        f" not overlap; below {FEWEST_OUTCOMES} luck says more than skill."
    )
    return Reason(code="too_few_rows", text=words)


def _no_signal(card: Card) -> Reason | None:
    auc, ic = card["pooled"]["auc"], card["pooled"]["ic"]
    if auc["low"] is None or ic["low"] is None:
        return Reason(
            code="no_signal", text="All predictions or all outcomes are the same, so there is nothing to see."
        )
    if auc["low"] > 0.5 and ic["low"] > 0:
        return None
    if auc["high"] < 0.5:
        words = f"It was wrong more often than chance: the AUC is {_between(auc)}, below 0.50."
    elif auc["low"] <= 0.5:
        words = f"The AUC is {_between(auc)}. That includes 0.50, which is what guessing has: there is no signal in it."
    else:
        words = (
            f"It tells ups from downs a little (AUC {_between(auc)}), but its predictions do not go along with returns:"
            f" their correlation is {_between(ic)}, which includes 0."
        )
    return Reason(code="no_signal", text=words)


def _baseline(card: Card) -> Reason | None:
    """The base rate has to be beaten; of the others it is enough not to be surely worse."""
    for baseline in card["baselines"]:
        gain = baseline["gain"]
        at_least = gain["value"] if baseline["name"] == "base_rate" else gain["high"]
        if at_least is None or at_least > 0:
            continue
        own, theirs = card["pooled"]["log_loss"], baseline["metrics"]["log_loss"]
        words = (
            f"{baseline['title']}: a loss of {fixed(theirs, 4)}, where the model has {fixed(own, 4)}. Lower is better."
        )
        return Reason(code="baseline", text=words)
    return None


def _folds(card: Card) -> Reason | None:
    aucs = [fold["metrics"]["auc"]["value"] for fold in card["folds"]]
    known = [auc for auc in aucs if auc is not None]
    above = sum(auc > 0.5 for auc in known)
    if not known or above >= FEWEST_FOLDS_SHARE * len(known):
        return None
    words = (
        f"Only {above} of {len(known)} folds were better than chance; their AUC lies between {ratio(min(known))} and"
        f" {ratio(max(known))}."
    )
    return Reason(code="folds", text=words)


def _calibration(card: Card) -> Reason | None:
    parts = [part for part in card["calibration"] if part["observed_low"] is not None]
    rows = sum(part["count"] for part in parts)
    off = [part for part in parts if not part["observed_low"] <= part["predicted"] <= part["observed_high"]]
    outside = sum(part["count"] for part in off)
    error = sum(part["count"] * abs(part["predicted"] - part["observed"]) for part in parts) / max(rows, 1)
    if outside <= _OUTSIDE_SHARE * rows or error <= FAR_OFF:
        return None
    worst = max(off, key=lambda part: abs(part["predicted"] - part["observed"]))
    words = (
        f"What it says and what came differ by {error:.1%} in the mean. Where it said {worst['predicted']:.0%} it went"
        f" up in {worst['observed']:.0%} of cases."
    )
    return Reason(code="calibration", text=words)


def _costs(card: Card) -> Reason | None:
    ends = _ends(card)
    if ends is None or ends > 0:
        return None
    words = (
        f"Buying the likeliest tenth and selling the least likely one short leaves {change(ends)} a trade after costs"
        f" of {card['spec']['cost_bps']:g} bps at entry and at exit."
    )
    return Reason(code="costs", text=words)


def _ends(card: Card) -> float | None:
    """What a trade of both ends leaves in the mean."""
    deciles = card["deciles"]
    if len(deciles) < 2:
        return None
    return float(deciles[0]["after_costs"] + deciles[-1]["after_costs"]) / 2


def _found(card: Card) -> str:
    return f"A signal that held out of sample: AUC {_between(card['pooled']['auc'])}."


def _signal(card: Card) -> Reason:
    pooled = card["pooled"]
    words = (
        f"On {pooled['rows']:,} bars that it had not seen the AUC is {_between(pooled['auc'])}, and the correlation"
        f" with returns {_between(pooled['ic'])}."
    )
    return Reason(code="signal", text=words)


def _paid(card: Card) -> Reason:
    words = f"Trading its likeliest and least likely tenths leaves {change(_ends(card) or 0.0)} a trade after costs."
    return Reason(code="pays", text=words)


def _between(interval: Mapping[str, float]) -> str:
    return f"{fixed(interval['value'], 3)} ({fixed(interval['low'], 3)} to {fixed(interval['high'], 3)})"
