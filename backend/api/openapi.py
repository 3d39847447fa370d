"""Prints the OpenAPI document, without a database: `python -m backend.api.openapi`."""

import json
import sys

from backend.api.app import describe_api


def main() -> None:
    json.dump(describe_api().openapi(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
