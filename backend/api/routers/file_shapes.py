"""What the API says and takes about files of bars, with examples."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from backend.api.routers.market_shapes import SERIES_ID
from backend.domain.import_times import TimeStyle
from backend.domain.imports import Reading
from backend.domain.market import ALWAYS, Adjustment, Timeframe


class UploadKept(BaseModel):
    """A file that waits to be imported, for a day."""

    upload_id: UUID
    name: str
    size_bytes: int


class FileReading(BaseModel):
    """How a file is read. Columns are named as its header does, or 'column 1' and so on where it has none."""

    columns: dict[str, str] = Field(description="open, high, low, close and maybe volume: the file's names of them.")
    time: str = Field(max_length=200)
    time_of_day: str | None = Field(default=None, max_length=200, description="A second column with the hour.")
    style: TimeStyle = TimeStyle.ISO
    zone: str = Field(default="UTC", max_length=60, description="Of times that name none, such as Europe/Berlin.")
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    is_newest_first: bool = False
    notes: list[str] = Field(default_factory=list, max_length=100, description="What was taken for granted, in words.")

    def reading(self) -> Reading:
        return Reading(
            columns={name: self.columns[name] for name in _VALUES if name in self.columns},
            **self.model_dump(exclude={"columns", "notes"}),
        )


class PreviewWanted(BaseModel):
    """Which file to look at, and how, where it was not understood at first."""

    upload_id: UUID
    reading: FileReading | None = Field(default=None, description="Found out, when left out.")
    timeframe: Timeframe | None = Field(default=None, description="Found out, when left out.")
    calendar: str = Field(default=ALWAYS, max_length=30)


class BadLine(BaseModel):
    """A row that is no bar, and why."""

    row: int = Field(description="From 0, the first row of data; for a broken line the number of the line.")
    line: int | None = Field(description="Where it stands in the file, from 1; null where that cannot be told.")
    reason: str
    ts: str | None


class PreviewBar(BaseModel):
    """A row as it will be stored."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class PreviewMade(BaseModel):
    """What was understood of a file. Nothing is stored yet.

    Where its columns say too little, the reading holds what was recognised and its notes say what is lacking: complete
    it and look again.
    """

    name: str
    header: list[str] | None = Field(description="Null when it has none.")
    columns: list[str]
    reading: FileReading
    timeframe: Timeframe | None = Field(description="Null when it cannot be told: choose one and look again.")
    text: list[list[str]] = Field(description="The first 20 rows, cell by cell.")
    bars: list[PreviewBar] = Field(description="The first 20 good rows, as bars.")
    rows: int = Field(description="How many rows were looked at.")
    bad_count: int
    bad: list[BadLine] = Field(description="The first 20.")
    is_whole: bool = Field(description="Whether these are all rows of the file.")


class ImportWanted(BaseModel):
    """What to make of an uploaded file."""

    upload_id: UUID
    symbol: str = Field(max_length=41)
    timeframe: Timeframe
    calendar: str = Field(default=ALWAYS, max_length=30, description="24/7, 24/5, or an exchange such as XNYS.")
    currency: str = Field(default="USD", pattern=r"^[A-Z0-9]{2,10}$")
    adjustment: Adjustment = Adjustment.RAW
    reading: FileReading
    accept_bad_rows: bool = Field(default=False, description="Leave bad rows out; else one refuses the file.")


_VALUES = ("open", "high", "low", "close", "volume")
_READING: dict[str, Any] = {
    "columns": {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"},
    "time": "Date",
    "style": "iso",
    "zone": "UTC",
    "decimal": ".",
}
PREVIEW_WANTED = {"upload_id": str(SERIES_ID)}
IMPORT_WANTED = {
    "upload_id": str(SERIES_ID),
    "symbol": "MYFUND",
    "timeframe": "1d",
    "calendar": "XNYS",
    "currency": "USD",
    "reading": _READING,
}
UPLOADED = UploadKept(upload_id=SERIES_ID, name="myfund.csv", size_bytes=81_920)
PREVIEWED = PreviewMade(
    name="myfund.csv",
    header=["Date", "Open", "High", "Low", "Close", "Volume"],
    columns=["Date", "Open", "High", "Low", "Close", "Volume"],
    reading=FileReading(**_READING, notes=["Its times name no zone, so they are taken as UTC."]),
    timeframe=Timeframe.D1,
    text=[["2025-01-02", "101.5", "103", "101", "102.25", "12000"]],
    bars=[PreviewBar(ts=datetime(2025, 1, 2, tzinfo=UTC), open=101.5, high=103, low=101, close=102.25, volume=12000)],
    rows=1250,
    bad_count=1,
    bad=[BadLine(row=17, line=19, reason="its high is below its open or close", ts="2025-01-28T00:00:00+00:00")],
    is_whole=True,
)
