"""`tidemark serve` whose jobs have something to do: each kind behaves as tests/integration/works.py says.

python -m tests.serve_with_works serve --data-dir FOLDER
"""

from backend.cli.main import main
from backend.worker import handlers
from tests.integration.works import WORKS

if __name__ == "__main__":
    # The runner looks there when it starts.
    handlers.WORKS = WORKS
    main()
