"""Finished backtests as files to take elsewhere: JSON, CSV and Parquet, which give the same numbers when read again."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from backend.domain.errors import InputError, InvalidInput

FORMATS: Final = ("json", "csv", "parquet")
# What a spreadsheet would run as a formula; it takes no notice of the space before, nor of the width of the sign.
FORMULA: Final = "\\s*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]"


def export(
    folder: Path, kind: str, document: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], stem: str
) -> list[Path]:
    """Writes `document` and the tables below the folder, which is made; returns the files. Raises InvalidInput."""
    if kind not in FORMATS:
        detail = f"'{kind}' is no format of an export. There are: {', '.join(FORMATS)}."
        raise InvalidInput([InputError(pointer="/format", detail=detail)], detail)
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / f"{stem}.json"
    about.write_text(json.dumps(document, indent=1), encoding="utf-8")
    files = [about]
    for name, table in {} if kind == "json" else tables.items():
        path = folder / f"{stem}-{name}.{kind}"
        if kind == "csv":
            write_csv(table, path)
        else:
            table.to_parquet(path, compression="zstd", index=False)
        files.append(path)
    return files


def zipped(kind: str, document: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> bytes:
    """The same files in one."""
    whole = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="tidemark-export-") as folder, zipfile.ZipFile(whole, "w") as archive:
        for path in export(Path(folder), kind, document, tables, "backtest"):
            stored = zipfile.ZIP_STORED if path.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            archive.write(path, path.name, compress_type=stored)
    return whole.getvalue()


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Times in ISO UTC, numbers with as many digits as they take, and no text that a spreadsheet would run."""
    plain = {}
    for name in table.columns:
        values = table[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            plain[name] = values.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif values.dtype.kind in "fiub":
            plain[name] = values
        else:
            plain[name] = values.map(harmless)
    pd.DataFrame(plain).to_csv(path, index=False, lineterminator="\n")


def harmless(value: object) -> object:
    """What no spreadsheet runs. A carriage return alone is written without quotes, and would begin a row."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if re.match(FORMULA, value) else text
