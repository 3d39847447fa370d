"""What came of a backtest, as a notebook shows it and as it is kept."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.record import Record, Source
    from backend.backtesting.run import Run
    from backend.backtesting.trust import Family, Trust

Chart = Literal["equity", "drawdown", "months", "trades"]


class Backtest:
    """What came of a backtest. Everything beyond the figures is made when it is asked for."""

    def __init__(self, record: "Record", run: "Run | None" = None) -> None:
        self.record = record
        self.run = run  # with the engine's own arrays; none when it was read from the disk

    @classmethod
    def of(cls, run: "Run", source: "Source") -> "Backtest":
        from backend.backtesting.record import record_of

        return cls(record_of(run, source), run)

    @property
    def id(self) -> str | None:
        """None until it is saved."""
        return self.record.id

    @property
    def statistics(self) -> Mapping[str, Any]:
        """By name; a figure that could not be computed is in `missing`, with the reason."""
        return self.record.statistics.values

    @property
    def missing(self) -> Mapping[str, str]:
        return self.record.statistics.missing

    @property
    def trades(self) -> "pd.DataFrame":
        return self.record.trades

    @property
    def closed_trades(self) -> "pd.DataFrame":
        return self.trades.loc[~self.trades["is_open"]]

    @property
    def equity(self) -> "pd.DataFrame":
        return self.record.equity

    @property
    def notes(self) -> Sequence[str]:
        return [str(note["text"]) for note in self.record.notes]

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.record.manifest

    def trust(self, *, thorough: bool = False) -> "Trust":
        """What a sceptic would ask: look-ahead, luck, gaps, costs, how far the Sharpe ratio can be believed.

        Thorough asks the strategy hundreds of times. The answers become a part of the record; the run becomes a trial
        of its family in the ledger, once. A backtest that was read from the disk has to be replayed first.
        """
        from backend.backtesting.trust import Examined, examine, quality_of
        from backend.bootstrap_research import open_calendar
        from backend.domain.backtest_errors import CannotReplay

        if self.run is None:
            raise CannotReplay("The trust panel asks the strategy again. Replay the backtest, then ask.")
        quality = quality_of(self.run.histories, open_calendar())
        trust = examine(Examined.of(self.run, family=_family(self.run), quality=quality), thorough=thorough)
        self.record = self.record.trusted(trust)
        self.__dict__.pop("_report", None)
        return trust

    def ask(self, codes: Sequence[str]) -> "Trust":
        """Some questions of the panel alone, thoroughly. They leave no trace in the record."""
        from backend.backtesting.trust import Examined, examine
        from backend.domain.backtest_errors import CannotReplay

        if self.run is None:
            raise CannotReplay("The trust panel asks the strategy again. Replay the backtest, then ask.")
        return examine(Examined.of(self.run), thorough=True, only=[codes] if isinstance(codes, str) else codes)

    def to_frame(self) -> "pd.DataFrame":
        """All statistics, a row each: name, value, and why it is missing."""
        import pandas as pd

        rows = [{"statistic": name, "value": value, "missing": ""} for name, value in self.statistics.items()]
        rows += [{"statistic": name, "value": None, "missing": reason} for name, reason in self.missing.items()]
        return pd.DataFrame(rows, columns=["statistic", "value", "missing"]).set_index("statistic")

    def plot(self, what: Chart = "equity") -> "Picture":
        """A chart as SVG, which a notebook shows: equity, drawdown, months or trades."""
        from backend.backtesting.report.page import chart_page

        return Picture(chart_page(self.record, what))

    @cached_property
    def _report(self) -> str:
        from backend.backtesting.report.page import report_html

        return report_html(self.record)

    def report_html(self, path: str | Path | None = None) -> str:
        """The whole report as one page that needs nothing else. With a path it is written there, too."""
        if path is not None:
            self.report(path)
        return str(self._report)

    def report(self, path: str | Path) -> Path:
        """Write the report into a file and return its path."""
        target = Path(path)
        target.write_text(self._report, encoding="utf-8")
        return target

    def save(self) -> str:
        """Keep it below data_cache/backtests; `tidemark backtest show ID` and `open_backtest` find it there."""
        from backend.bootstrap_research import open_runs

        documents = {
            "config": self.record.config_document(),
            "manifest": dict(self.record.manifest),
            "figures": self.record.figures(),
        }
        shelf = open_runs()
        run_id = shelf.save(documents, {"trades": self.trades, "equity": self.equity})
        self.record = self.record.stored_as(run_id, shelf.load(run_id).saved_at)
        self.__dict__.pop("_report", None)
        return run_id

    def export(self, folder: str | Path, format: Literal["json", "csv", "parquet"] = "parquet") -> list[Path]:
        """Files that give the same numbers when they are read again: figures and config, trades, equity."""
        from backend.bootstrap_research import export_run

        document = self.record.document(tables=format == "json")
        tables = {"trades": self.trades, "equity": self.equity}
        return export_run(Path(folder), format, document, tables, self.id or "backtest")

    def __repr__(self) -> str:
        from backend.backtesting.summary import summary

        return summary(self.record)

    def _repr_html_(self) -> str:
        from backend.backtesting.report.page import notebook_html

        return notebook_html(self.record)


def _family(run: "Run") -> "Family | None":
    """None where no ledger can be kept: it is judged as the first of its family then."""
    from backend.backtesting.families import written_down
    from backend.bootstrap_research import open_ledger
    from backend.domain.errors import ConfigurationError

    try:
        return written_down(run, open_ledger())
    except (ConfigurationError, OSError):
        return None


class Picture:
    """A chart that a notebook shows."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html


def saved() -> "pd.DataFrame":
    """The backtests that were saved on this machine, newest first."""
    import pandas as pd

    from backend.bootstrap_research import open_runs

    shelf = open_runs()
    rows = []
    for run_id in shelf.ids():
        record = stored_record(shelf.load(run_id))
        figures = {
            name: record.statistics.number(name) for name in ("total_return", "sharpe", "max_drawdown", "trades")
        }
        rows.append({"id": run_id, "saved_at": record.saved_at, "title": record.title, **figures})
    columns = ["id", "saved_at", "title", "total_return", "sharpe", "max_drawdown", "trades"]
    return pd.DataFrame(rows, columns=columns)


def open_backtest(run_id: str) -> "Backtest":
    """A saved backtest, without computing it again. The beginning of its id is enough."""
    from backend.bootstrap_research import open_runs

    return Backtest(stored_record(open_runs().load(run_id)))


def stored_record(stored: Any) -> "Record":
    from backend.backtesting.record import Record

    record = Record.of(stored.config, stored.manifest, stored.figures, stored.trades, stored.equity)
    return record.stored_as(stored.id, stored.saved_at)
