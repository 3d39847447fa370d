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


# Ids, methods, states: each pattern above needs some other character.
_PLAIN = re.compile(r"[A-Za-z0-9-]*")


def redact(text: str) -> str:
    """The text with every secret that we can recognise replaced."""
    if _PLAIN.fullmatch(text):
        return text
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    text = _PASSWORD_IN_ADDRESS.sub(rf"\g<before>{HIDDEN}", text)
    text = _SCHEME_CREDENTIALS.sub(rf"\1 {HIDDEN}", text)
    text = _JWT.sub(HIDDEN, text)
    text = _SUPABASE_KEY.sub(HIDDEN, text)
    text = _PERSONAL_TOKEN.sub(HIDDEN, text)
    text = _SHARE_LINK.sub(rf"\g<before>{HIDDEN}", text)
    return _NAMED_VALUE.sub(rf"\g<before>{HIDDEN}", text)


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
