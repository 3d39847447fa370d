"""Models and predictions in plain text, for a terminal and a notebook."""

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.domain import format as say


def card_in_words(card: Mapping[str, Any], *, model_id: str | None = None, state: str = "") -> str:
    """The verdict first, then what it rests on."""
    parts = [
        _head(card, model_id, state),
        _verdict(card["verdict"]),
        _figures(card),
        _folds(card),
        _deciles(card),
        _most_important(card),
    ]
    if card["contest"] is not None:
        parts.append(f"Contest with the champion\n  {card['contest']['why']}")
    return _printed("\n\n".join(parts))


def prediction_in_words(told: Mapping[str, Any]) -> str:
    lines = [
        f"{told['series']['symbol']} {told['series']['timeframe']}, as of {_minute(told['as_of'])} UTC,"
        f" {told['horizon']:,} bars ahead",
        f"  Probability of up   {say.percent(told['probability_up'], 1):>10}",
        f"  Expected return     {say.change(told['expected_return']):>10}",
        f"  {told['level']:.0%} interval        {say.change(told['low']):>10} to {say.change(told['high'])}",
        f"  Age of the model    {told['model_age_bars']:>10,} bars",
    ]
    trusted = "Trusted" if told["is_trusted"] else "Not trusted"
    lines += ["", f"{trusted}. {told['headline']}", *(f"  {reason['text']}" for reason in told["reasons"])]
    lines += ["", "What moved the odds most"]
    lines += [
        f"  {one['feature']:<24} {one['value']:>12.4g} {say.fixed(one['contribution'], 4, signed=True):>10}"
        for one in told["contributions"]
    ]
    if told["model_id"]:
        lines += ["", f"Said by model {told['model_id']}."]
    return _printed("\n".join(lines))


def evaluation_in_words(told: Mapping[str, Any]) -> str:
    now, then, interval = told["metrics"], told["promised"], told["interval"]
    text = "\n".join(
        [
            f"{now['rows']:,} bars after its lessons, {_minute(told['first'])} to {_minute(told['last'])} UTC",
            f"  {'':<22} {'since':>26} {'its card':>26}",
            *(f"  {title:<22} {_between(now[name]):>26} {_between(then[name]):>26}" for name, title in _INTERVALS),
            *(
                f"  {title:<22} {say.fixed(now[name], 4):>26} {say.fixed(then[name], 4):>26}"
                for name, title in _NUMBERS
            ),
            f"  {interval['level']:.0%} interval held for {say.percent(interval['coverage'], 1)} of returns.",
            told["drift"]["text"],
        ]
    )
    return _printed(text)


def drift_in_words(told: Mapping[str, Any]) -> str:
    fresh, worst = told["freshness"], told["worst"]
    lines = [told["text"], *(f"  {name:<28} PSI {say.ratio(told['psi'][name])}" for name in worst)]
    if worst:
        lines.append("By the usual rule a PSI above 0.25 is much; here it is also above all that the training showed.")
    if fresh["is_fresh"]:
        lines.append(f"It may answer: {fresh['age_bars']:,} bars since its lessons ended.")
    else:
        # The reason may be the sentence above.
        why = "the market has changed." if told["text"] in fresh["reason"] else fresh["reason"]
        lines.append(f"It may not answer without being trained again: {why}")
    return "\n".join(lines)


_NEGATIVE: Final = re.compile(r"(?<![\w-])-(?=\d)")


def _printed(text: str) -> str:
    """With one sign for minus; what documents hold has that of JSON."""
    return _NEGATIVE.sub(say.MINUS, text)


_INTERVALS = (("auc", "AUC"), ("ic", "IC"), ("rank_ic", "Rank IC"))
_NUMBERS = (("log_loss", "Log loss"), ("brier", "Brier score"), ("accuracy", "Accuracy"))


def _head(card: Mapping[str, Any], model_id: str | None, state: str) -> str:
    series, data, made = card["series"], card["data"], card["made"]
    simulated = " (simulated)" if data["is_simulated"] else ""
    rounds = f"{made['rounds']:,} {'round' if made['rounds'] == 1 else 'rounds'}"
    lines = [
        f"{card['question']} on {series['symbol']}, {series['timeframe']}{simulated}",
        f"{data['bars']:,} bars, {_minute(data['first'])} to {_minute(data['last'])} UTC",
        f"{rounds} in {say.duration(made['seconds'])}, {made['versions']['forecaster']}",
    ]
    if model_id:
        lines.append(f"kept as {model_id}{f' ({state})' if state else ''}")
    return "\n".join(lines)


def _verdict(verdict: Mapping[str, Any]) -> str:
    trusted = "Trusted" if verdict["is_trusted"] else "Not trusted"
    return "\n".join([f"{trusted}. {verdict['headline']}", *(f"  {one['text']}" for one in verdict["reasons"])])


def _figures(card: Mapping[str, Any]) -> str:
    pooled = card["pooled"]
    lines = [f"On {pooled['rows']:,} bars that it had not seen"]
    lines += [f"  {title:<22} {_between(pooled[name])}" for name, title in _INTERVALS]
    lines.append(f"  {'Log loss':<22} {say.fixed(pooled['log_loss'], 4)}")
    lines += [f"    {one['title']:<34} {say.fixed(one['metrics']['log_loss'], 4)}" for one in card["baselines"]]
    accuracy, base = (say.percent(pooled[name], 1) for name in ("accuracy", "base_accuracy"))
    lines.append(f"  {'Accuracy':<22} {accuracy}, the base rate {base}")
    shuffled = card["controls"]["shuffled"]
    if shuffled is not None:
        lines.append(f"  {'Shuffled labels':<22} AUC {_between(shuffled['auc'])}")
    return "\n".join(lines)


def _folds(card: Mapping[str, Any]) -> str:
    lines = ["Fold  Tested from     Bars  Rounds    AUC"]
    lines += [
        f"{fold['number']:>4}  {fold['test_first'][:10]}  {fold['test_rows']:>7,}  {fold['rounds']:>6,}"
        f"  {say.fixed(fold['metrics']['auc']['value'], 3)}"
        for fold in card["folds"]
    ]
    return "\n".join(lines)


def _deciles(card: Mapping[str, Any]) -> str:
    lines = ["Tenth  Probability     Return  After costs"]
    lines += [
        f"{one['decile']:>5}  {say.percent(one['probability'], 1):>11}  {say.change(one['return'], 3):>9}"
        f"  {say.change(one['after_costs'], 3):>11}"
        for one in card["deciles"]
    ]
    cost, shorts = card["spec"]["cost_bps"], [str(one["decile"]) for one in card["deciles"] if one["side"] == "short"]
    lines.append(f"After costs of {cost:g} bps at the entry and again at the exit.")
    if shorts:
        lines.append(
            f"Tenths {', '.join(shorts)} are sold short: after costs they gain where the return is below zero."
        )
    return "\n".join(lines)


def _most_important(card: Mapping[str, Any]) -> str:
    lines = ["Most important features (mean part of the log odds)"]
    lines += [f"  {one['feature']:<28} {say.fixed(one['shap'], 4)}" for one in card["importance"][:8]]
    return "\n".join(lines)


def _between(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return say.fixed(interval["value"], 3)
    return f"{say.fixed(interval['value'], 3)} ({say.fixed(interval['low'], 3)} to {say.fixed(interval['high'], 3)})"


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")
