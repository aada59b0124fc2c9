"""Identifiers: UUIDv7 for rows and events, base62 tokens with a checksum for API keys."""

import re
import secrets
from binascii import crc32
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import uuid_utils
from asyncpg.pgproto import pgproto

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM = 30
"""Random characters of a token: 30 base62 characters are 178 bits."""
CHECK = 6
"""Characters of a token's checksum: the least that hold 32 bits in base62."""

FIRST = UUID(int=0)
"""Before every id."""


def uuid7() -> UUID:
    """A new UUIDv7; ids made by one process rise in the order they were made.

    It is a `uuid.UUID` of the kind that the driver reads from the database: made in half the time, written in a tenth.
    """
    return pgproto.UUID(uuid_utils.uuid7().bytes)


def fresh() -> str:
    """A new UUIDv7 as text: ten times as quick as making the object first."""
    return str(uuid_utils.uuid7())


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CANONICAL = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_TOKEN = re.compile(r"[a-z]+(?:_[a-z]+)*_[0-9A-Za-z]{28,100}")


def parse(text: str) -> UUID:
    """Read a UUID in its canonical form of 36 characters (RFC 9562 §4; letters of either case).

    Raises ValueError for braces, `urn:uuid:`, missing dashes and all else that `uuid.UUID` would take.
    """
    if _CANONICAL.fullmatch(text) is None:
        raise ValueError("not a UUID of the form 01890a5d-ac96-774b-bcce-b302099a8057")
    return UUID(text)


_NAMES = UUID("6f1d5c1e-7d0b-5b0e-9a53-0c5d2f6b7a11")


def stable(name: str) -> UUID:
    """The id of a thing that another system names: that name where it is a UUID, else one that is always the same."""
    try:
        return parse(name)
    except ValueError:
        return uuid5(_NAMES, name)


def moment(id: UUID) -> datetime:
    """The instant a UUIDv7 was made, to the millisecond (RFC 9562 §5.7). Raises ValueError for another version."""
    if id.version != 7:
        raise ValueError("not a UUIDv7")
    return _EPOCH + (id.int >> 80) * _MILLISECOND


def floor(moment: datetime) -> UUID:
    """The lowest UUIDv7 of an instant's millisecond: every id made then or later is equal or greater.

    Raises ValueError for an instant before 1970.
    """
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    if milliseconds < 0:
        raise ValueError("a UUIDv7 cannot name an instant before 1970")
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)


def base62(number: int, width: int = 1) -> str:
    """Write a number >= 0 in base 62, most significant first, padded with `0` to at least `width` characters."""
    if number < 0:
        raise ValueError("base62 writes no negative number")
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    return digits.rjust(width, "0")


def random62(length: int) -> str:
    """Characters drawn from the system's random source, each one of 62 (5.95 bits)."""
    return "".join(map(secrets.choice, [ALPHABET] * length))


def token(prefix: str) -> str:
    """A new secret token: `<prefix>_<30 random characters><6 characters: CRC32 of all before them>`, all base62.

    The checksum lets a typing error be refused without a look-up, and lets scanners know a leaked token.
    """
    body = f"{prefix}_{random62(RANDOM)}"
    return body + _checksum(body)


def checked(token: str) -> bool:
    """Whether a text has a token's form (any prefix, 22 random characters or more) and its checksum holds."""
    return _TOKEN.fullmatch(token) is not None and _checksum(token[:-CHECK]) == token[-CHECK:]


def _checksum(body: str) -> str:
    return base62(crc32(body.encode()), CHECK)
