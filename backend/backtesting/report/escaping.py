"""Text that is text: the name of a symbol or of a strategy may be anybody's."""

from html import escape


def text(value: object) -> str:
    """What does not print becomes a space, and nothing is markup."""
    return escape("".join(each if each.isprintable() else " " for each in str(value)), quote=True)
