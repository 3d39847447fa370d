"""The market cache: bars of all series in Parquet files, safe between processes and lossless to the last bit."""

from backend.data.storage.bars.housekeeping import ParquetBarHousekeeping
from backend.data.storage.bars.store import ParquetBarStore

__all__ = ["ParquetBarHousekeeping", "ParquetBarStore"]
