"""A study in plain text for a terminal: the best beside the median, and what says how far to believe it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.backtesting.wording import kind_of, label_of, written
from backend.domain import format as say

_SHOWN: Final = 10
_BESIDE: Final = ("total_return", "sharpe", "max_drawdown", "trades")
_KINDS: Final = {"sweep": "Sweep", "optimize": "Search", "walk_forward": "Walk forward"}
# name: label, kind
JUDGED: Final = {
    "trials": ("Trials", "count"),
    "trials_in_family": ("Trials ever, of it on this symbol", "count"),
    "windows": ("Folds", "count"),
    "winner": ("Best", "objective"),
    "median": ("Median of all trials", "objective"),
    "in_sample": ("In sample, mean of the folds", "objective"),
    "out_of_sample": ("Out of sample, mean of the folds", "objective"),
    "efficiency": ("Kept out of sample", "percent"),
    "return_efficiency": ("Growth kept out of sample", "percent"),
    "profitable_windows": ("Folds with a gain", "percent"),
    "overfitting": ("Probability of overfitting (PBO)", "percent"),
    "deflated_sharpe": ("Deflated Sharpe: more than luck", "percent"),
    "neighbourhood": ("Mean of the best one's neighbours", "objective"),
}


def title_of(study: Mapping[str, Any]) -> str:
    objective = study["objective"]["name"]
    return f"{_KINDS[study['kind']]} of {study['strategy']} on {study['symbol']} by {label_of(objective)}"


def study_summary(study: Mapping[str, Any]) -> str:
    """All that a person needs before the winner is believed."""
    parts = [title_of(study) + (f"\nsaved as {study['id']}" if study.get("id") else ""), _judged(study)]
    rows = rows_of_study(study)[:_SHOWN]
    if rows:
        parts.append(_table(study, rows))
    if warnings := warnings_of(study):
        parts.append("\n".join(["Before you believe it", *(f"  {each}" for each in warnings)]))
    return "\n\n".join(parts)


def judged_lines(study: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each figure of the judgement by its label; a missing one with its reason."""
    found, missing = study["judgement"]["values"], study["judgement"]["missing"]
    lines = []
    for name, (label, kind) in JUDGED.items():
        if name in found:
            lines.append((label, of_objective(study, found[name]) if kind == "objective" else _said(found[name], kind)))
        elif name in missing:
            lines.append((label, f"{say.MISSING} {missing[name]}"))
    return lines


def warnings_of(study: Mapping[str, Any]) -> list[str]:
    if study["kind"] != "walk_forward":
        return list(study["warnings"])
    found = []
    if study["is_cancelled"]:
        found.append(f"It was cancelled after {len(study['folds'])} of {study['planned']} folds: this is a part of it.")
    if study["unused_bars"]:
        found.append(f"{study['unused_bars']:,} bars at the end were too few for a fold.")
    return found


def rows_of_study(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a trial in the ranking, or a row a fold."""
    if study["kind"] == "walk_forward":
        return [_fold(fold) for fold in study["folds"]]
    objective = study["objective"]["name"]
    rows = []
    for trial in study["best"]:
        metrics = {name: value for name, value in trial["metrics"].items() if name != objective}
        about = {"number": trial["number"], **trial["parameters"], objective: trial["value"]}
        rows.append({**about, **metrics, "why": trial["why"] or ""})
    return rows


def _fold(fold: Mapping[str, Any]) -> dict[str, Any]:
    inside, outside = fold["in_sample"] or {}, fold["out_of_sample"] or {}
    return {
        "fold": fold["number"],
        "chosen_from": fold["train"]["start"],
        "traded_from": fold["test"]["start"],
        "traded_until": fold["test"]["end"],
        **(fold["parameters"] or {}),
        "in_sample": inside.get("value"),
        "median": fold["median"],
        "out_of_sample": outside.get("value"),
        "return": outside.get("metrics", {}).get("total_return"),
        "overfitting": fold["overfitting"],
        "deflated_sharpe": fold["deflated_sharpe"],
    }


def _judged(study: Mapping[str, Any]) -> str:
    lines = judged_lines(study)
    if study["kind"] != "walk_forward" and study["skipped"]:
        words = f"{study['skipped']:,}; of the first it says: {study['skipped_why']}"
        lines.append(("Not taken by the strategy", words))
    if study["kind"] != "walk_forward" and study["failed"]:
        lines.append(("Failed", f"{study['failed']:,}: {study['failures'][0]['reason']}"))
    return "\n".join(f"  {label:<36} {value}" for label, value in lines)


def _table(study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    titles, cells = table_of(study, rows)
    widths = [max(len(row[column]) for row in [titles, *cells]) for column in range(len(titles))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [titles, *cells]]
    return "\n".join(lines)


def table_of(study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The ranking with the trial in its middle beneath it, or the folds: titles, and a row of words for each."""
    names = list(study["space"] if study["kind"] != "walk_forward" else study["stability"])
    if study["kind"] == "walk_forward":
        titles = ["FOLD", "TRADED FROM", *map(str.upper, names), "IN SAMPLE", "MEDIAN", "OUT OF SAMPLE", "RETURN"]
        return titles, [
            [
                str(row["fold"]),
                row["traded_from"][:10],
                *(_value(row.get(name)) for name in names),
                *(of_objective(study, row[name]) for name in ("in_sample", "median", "out_of_sample")),
                say.change(row["return"]),
            ]
            for row in rows
        ]
    objective = study["objective"]["name"]
    beside = [name for name in _BESIDE if name != objective]
    titles = ["", *map(str.upper, names), label_of(objective).upper(), *(label_of(name).upper() for name in beside)]
    trials = [(f"{place}.", trial) for place, trial in enumerate(study["best"][: len(rows)], 1)]
    if study["median"] is not None:
        trials.append(("middle", study["median"]))
    return titles, [
        [
            place,
            *(_value(trial["parameters"][name]) for name in names),
            of_objective(study, trial["value"]),
            *(_said(trial["metrics"].get(name), kind_of(name)) for name in beside),
        ]
        for place, trial in trials
    ]


def of_objective(study: Mapping[str, Any], value: float | None) -> str:
    return _said(value, kind_of(study["objective"]["name"]))


def _said(value: float | int | None, kind: str) -> str:
    return say.MISSING if value is None else written(int(value) if kind == "count" else value, kind, "")


def _value(value: Any) -> str:
    return say.MISSING if value is None else f"{value:g}" if isinstance(value, float) else str(value)
