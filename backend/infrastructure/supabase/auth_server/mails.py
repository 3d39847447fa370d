"""The words of each mail: what happened, a code to type, a link to follow. Plain and kind."""

import html
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

Purpose: TypeAlias = Literal[
    "signup", "magiclink", "recovery", "invite", "email_change_new", "email_change_current", "reauthentication"
]


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One message to one person."""

    recipient: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What a mail says besides its code and link."""

    subject: str
    greeting: str
    action: str
    farewell: str


NOT_YOU = "If this was not you, you can ignore this mail: nothing changes unless the code or the link is used."

WORDINGS: dict[Purpose, Wording] = {
    "signup": Wording(
        subject="Confirm your email address",
        greeting="Welcome! Please confirm that this address is yours.",
        action="Confirm my address",
        farewell=NOT_YOU,
    ),
    "magiclink": Wording(
        subject="Your sign-in link",
        greeting="Here is what you need to sign in.",
        action="Sign in",
        farewell=NOT_YOU,
    ),
    "recovery": Wording(
        subject="Reset your password",
        greeting="You asked for a way to choose a new password.",
        action="Choose a new password",
        farewell=NOT_YOU,
    ),
    "invite": Wording(
        subject="You have been invited",
        greeting="Someone would like to work with you and has made an account for this address.",
        action="Accept the invitation",
        farewell="If you do not know what this is about, you can ignore this mail.",
    ),
    "email_change_new": Wording(
        subject="Confirm your new email address",
        greeting="Please confirm that your account shall use this address from now on.",
        action="Use this address",
        farewell=NOT_YOU,
    ),
    "email_change_current": Wording(
        subject="Confirm the change of your email address",
        greeting="Your account is about to use another address. Please confirm that you want this.",
        action="Change my address",
        farewell="If this was not you, do not use the code or the link, and change your password.",
    ),
    "reauthentication": Wording(
        subject="Your confirmation code",
        greeting="Please confirm that it is you who makes this change.",
        action="",
        farewell=NOT_YOU,
    ),
}


def compose(purpose: Purpose, recipient: str, *, code: str, link: str | None, expiry: timedelta) -> Mail:
    words = WORDINGS[purpose]
    lasting = f"{'Both work' if link else 'It works'} once and for {_in_words(expiry)}."
    lines = [words.greeting, "", f"Your code: {code}"]
    if link:
        lines += ["", f"{words.action}: {link}"]
    lines += ["", lasting, words.farewell, ""]
    return Mail(
        recipient=recipient,
        subject=words.subject,
        text="\n".join(lines),
        html=_page(words, code=code, link=link, lasting=lasting),
    )


def _page(words: Wording, *, code: str, link: str | None, lasting: str) -> str:
    button = f'<p><a href="{html.escape(link)}">{html.escape(words.action)}</a></p>' if link else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(words.subject)}</title></head>"
        '<body style="font-family:sans-serif;max-width:32rem;margin:2rem auto;line-height:1.5">'
        f"<p>{html.escape(words.greeting)}</p>"
        f'<p>Your code: <strong style="font-size:1.5rem;letter-spacing:.2em">{code}</strong></p>'
        f"{button}<p>{html.escape(lasting)} {html.escape(words.farewell)}</p></body></html>"
    )


def _in_words(expiry: timedelta) -> str:
    minutes = max(1, round(expiry.total_seconds() / 60))
    if minutes % 60:
        return f"{minutes} minutes" if minutes > 1 else "one minute"
    return f"{minutes // 60} hours" if minutes > 60 else "one hour"
