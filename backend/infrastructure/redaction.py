"""Takes secrets out of text before it is written anywhere: tokens, keys, passwords, addresses that hold a password."""

import re
from typing import Any

HIDDEN = "[hidden]"

_HIDDEN_NAMES = (
    r"authorization|proxy-authorization|apikey|api[_-]?key|cookie|password|passwd|pwd|secret|secret[_-]?key|"
    r"access[_-]?token|refresh[_-]?token|id[_-]?token|provider[_-]?token|token|token[_-]?hash|hashed[_-]?token|"
    r"jwt[_-]?secret|code[_-]?verifier|auth[_-]?code|nonce|service[_-]?role[_-]?key|encryption[_-]?key|otp|email[_-]?otp"
)
_SECRET_NAME = re.compile(rf"(?i)(?:.*[_-])?(?:{_HIDDEN_NAMES})")
# Each pattern starts where no earlier character could have started it: hostile text costs linear time.
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?")
_SUPABASE_KEY = re.compile(r"\bsb_(?:secret|publishable)_[\w-]+")
_PERSONAL_TOKEN = re.compile(r"\btdm_[\w-]{8,}")
# What opens a result that was shared stands in its address, perhaps with a letter too many.
_SHARE_LINK = re.compile(r"(?P<before>/share[ds]/)[\w-]{43,}")
_SCHEME_CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=:-]+")
_PASSWORD_IN_ADDRESS = re.compile(r"(?P<before>(?<![\w+.-])[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)[^\s/'\"]+(?=@)")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# "password": "x"   password=x   'apikey': 'x'   (b'authorization', b'Bearer x')
_NAMED_VALUE = re.compile(
    rf"(?i)(?P<before>(?<![\w-])(?:[\w-]*[_-])?(?:{_HIDDEN_NAMES})(?:[\\\"']*\s*(?:=>|[:=])|[\\\"']+\s*,)\s*)"
    r"(?P<value>b?\\?\"(?:[^\"\\]|\\[^\"])*\\?\"|b?'(?:[^'\\]|\\.)*'|[^\s,;&\"'(){}\[\]]+)"
)


# In this order: what one leaves may hold what the next one looks for.
PATTERNS = (
    (_PRIVATE_KEY, HIDDEN),
    (_PASSWORD_IN_ADDRESS, rf"\g<before>{HIDDEN}"),
    (_SCHEME_CREDENTIALS, rf"\1 {HIDDEN}"),
    (_JWT, HIDDEN),
    (_SUPABASE_KEY, HIDDEN),
    (_PERSONAL_TOKEN, HIDDEN),
    (_SHARE_LINK, rf"\g<before>{HIDDEN}"),
    (_NAMED_VALUE, rf"\g<before>{HIDDEN}"),
)
# Most of what is logged needs none of them: ids, methods and states at a glance, paths and addresses after one search
# for what every pattern needs. Letters beyond ASCII may be others in lower case.
_PLAIN = re.compile(r"[A-Za-z0-9-]*")
_SUSPICIOUS = re.compile(r"[_:=\"'\\]|[^\x00-\x7f]|eyJ|/share|-----BEGIN|[bB](?:[eE][aA][rR][eE][rR]|[aA][sS][iI][cC])")


def redact(text: str) -> str:
    """The text with every secret that we can recognise replaced."""
    if not is_suspicious(text):
        return text
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def is_suspicious(text: str) -> bool:
    """Whether a pattern may find something in it."""
    # Plain letters, figures and dashes can spell a scheme or the head of a token, but not what must follow it.
    return not _PLAIN.fullmatch(text) and _SUSPICIOUS.search(text) is not None


def redacted(name: str, value: Any) -> Any:
    """A logged fact: hidden whole when its name says that it is a secret, else with the secrets inside it hidden."""
    if _SECRET_NAME.fullmatch(name):
        return HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(key): redacted(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redacted(name, inner) for inner in value]
        case _:
            return redact(str(value))
