"""`./scripts/bench NAME [--json]`: one module of this folder is one benchmark, with a `run()` that returns its figures.

Progress goes to stderr, the figures to stdout. The exit code is 0 whether goals are reached or not: a benchmark
measures, it does not judge.
"""

import ast
import importlib
import sys
from pathlib import Path

from scripts.benches.figures import Bench, present

FOLDER = Path(__file__).parent
NOT_BENCHES = ("__main__", "figures")


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("-")]
    unknown = [argument for argument in arguments if argument.startswith("-") and argument != "--json"]
    known = benches()
    if unknown or len(names) > 1 or (names and names[0] not in known):
        print(f"Usage: ./scripts/bench NAME [--json], with one of {', '.join(known) or 'none yet'}.", file=sys.stderr)
        return 2
    if not names:
        print("\n".join(f"{name:<10} {about}" for name, about in known.items()))
        return 0
    run: Bench = importlib.import_module(f"scripts.benches.{names[0]}").run
    present(names[0], run(), as_json="--json" in arguments)
    return 0


def benches() -> dict[str, str]:
    """Names and the first line about each, read without importing them."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem not in NOT_BENCHES:
            about = ast.get_docstring(ast.parse(path.read_text())) or ""
            found[path.stem] = about.partition("\n")[0]
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
