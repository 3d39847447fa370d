"""`tidemark` with the works of the benchmark: a real process, started with `serve`."""

from unittest.mock import patch

from backend.cli.main import main
from scripts.benches.queueing.works import WORKS

if __name__ == "__main__":
    with patch("backend.worker.runner.WORKS", WORKS):
        main()
