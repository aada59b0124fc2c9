"""Masking: what must not stand in a log, by the name of its field or by its looks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto

MASK = "***"
#: what has nothing inside; most values of a document are such, and are known by a look
PLAIN = frozenset((str, int, bool, float, type(None), datetime, UUID, pgproto.UUID))
#: names of fields and headers whose values are secrets, as parts of a name: `client_secret`, `X-Api-Key`
SECRET = re.compile(
    r"(?:^|[_\-.\s])(?:secret|password|passwd|passphrase|token|authorization|cookie|set-cookie|credential|credentials"
    r"|api[_-]?key|apikey|private[_-]?key|access[_-]?key|signing[_-]?key|client[_-]?key|pin|otp|code[_-]?verifier"
    r"|dsn|auth)s?$",
    re.IGNORECASE,
)
#: what looks like a credential: our own keys, those of well-known services, JWTs, what follows Bearer, URLs' own
TOKENS = re.compile(
    r"\b(?:ct_(?:live|test)_[0-9A-Za-z]{8,}|(?:whsec|whsk|sk|pk|rk|xox[abpr]|ghp|gho)[_-][0-9A-Za-z_+/=-]{8,}"
    r"|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{4,}(?:\.[0-9A-Za-z_-]*)?)"
    r"|(?<=[Bb]earer )\S{8,}|(?<=[Bb]asic )[0-9A-Za-z+/=]{8,}|(?<=/hooks/)[0-9A-Za-z_]{8,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
EMAIL = re.compile(r"[0-9A-Za-z._%+'-]{1,64}@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+")
#: thirteen to nineteen digits, as cards have, parted by spaces or hyphens at most
CARD = re.compile(r"(?<![\w.-])[0-9](?:[ -]?[0-9]){12,18}(?![\w-])")
#: with a country code, or as written at home: 0 and nine digits or more in groups
PHONE = re.compile(r"(?<![\w.:+-])(?:\+[0-9]{1,3}|0[0-9]{1,3})(?:[ ()./-]{0,2}[0-9]){6,12}(?![\w-])")


@lru_cache(4096)
def secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return SECRET.search(name) is not None


def secrets(value: Any) -> Any:
    """A document with the values of secret fields masked, at any depth. Names tell; null and booleans stay."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        return {name: MASK if _hidden(name, each) else secrets(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [secrets(each) for each in value]
    return value


def text(value: str) -> str:
    """A text without tokens, e-mail addresses, card numbers and telephone numbers."""
    for pattern in (TOKENS, EMAIL):
        value = pattern.sub(MASK, value)
    value = CARD.sub(lambda found: MASK if _luhn(found[0]) else found[0], value)
    return PHONE.sub(MASK, value)


def entry(name: str, value: Any) -> Any:
    """A named value of a log line, masked by its name and by its looks, at any depth."""
    return MASK if _hidden(name, value) else _deep(value)


def _deep(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: entry(name, each) for name, each in value.items()}
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_deep(each) for each in value]
    return value


def _hidden(name: Any, value: Any) -> bool:
    return isinstance(name, str) and secret(name) and value is not None and not isinstance(value, bool | Mapping)


def _luhn(number: str) -> bool:
    """Whether the digits check out as a card's do (ISO/IEC 7812-1 annex B)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
