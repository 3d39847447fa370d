"""A page that needs nothing else: no network, no script, no font. It opens from a file and prints."""

import base64
import hashlib
from typing import Final

from backend.backtesting.report.escaping import text
from backend.backtesting.report.style import STYLE

# Nothing may be loaded or run; the one style is named by its hash.
_POLICY: Final = "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"


def whole_page(title: str, inside: str) -> str:
    """`inside` is markup, the title is text."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(hash=style)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        '<meta name="robots" content="noindex">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>"
        f'<body class="tm"><main>{inside}</main></body></html>\n'
    )
