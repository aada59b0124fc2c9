"""Secrets at rest: sealed values bound to their place, keys wrapped and derived from one master key, keyed hashes.

The byte format is public and permanent: `docs/reference/formats.md` describes it with a worked example, so that values
can be opened without this code. A change of the format is a new version byte.
"""

import hmac
import os
from collections.abc import Callable
from typing import Generic, NamedTuple, NoReturn, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
KEY = 32
"""Bytes of every key: AES-256, and HMAC and HKDF with SHA-256."""

_ID = 16
_NONCE = 12
_HEADER = len(VERSION) + _ID + _NONCE

T = TypeVar("T", bound=str | bytes)


class Secret(Generic[T]):
    """A text or bytes that no log, traceback, template or serializer shows by accident; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The secret itself; call it where it is used, and keep the result in no longer-lived place."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return same(self._value, other.reveal())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied into another form; reveal() it on purpose")


class Unsealable(ValueError):
    """A sealed value does not open here: changed, moved to another place, or sealed under a key that is gone."""


class Place(NamedTuple):
    """Where a sealed value lives. It opens nowhere else."""

    tenant: UUID
    """The nil UUID for what belongs to the installation."""
    table: str
    column: str
    row: UUID


def seal(key: bytes, key_id: UUID, plaintext: bytes, place: Place) -> bytes:
    """Encrypt with AES-256-GCM under a random nonce: version ‖ key id ‖ nonce ‖ ciphertext ‖ tag, 45 bytes longer.

    One key seals at most 2³² values (NIST SP 800-38D §8.3); the keeper of the keys counts.
    """
    nonce = os.urandom(_NONCE)
    return VERSION + key_id.bytes + nonce + _cipher(key).encrypt(nonce, plaintext, _bound(place, key_id))


def open(keys: Callable[[UUID], bytes], sealed: bytes, place: Place) -> bytes:  # noqa: A001 - read as crypto.open
    """Decrypt what `seal` made for the same place; `keys` gives the key of an id or raises LookupError.

    Raises `Unsealable`.
    """
    key_id = keyed_by(sealed)
    try:
        key = keys(key_id)
    except LookupError as error:
        raise Unsealable(f"the key {key_id} is not known") from error
    nonce = sealed[_HEADER - _NONCE : _HEADER]
    try:
        return _cipher(key).decrypt(nonce, sealed[_HEADER:], _bound(place, key_id))
    except InvalidTag:
        raise Unsealable("the sealed value was changed, moved or sealed under another key") from None


def keyed_by(sealed: bytes) -> UUID:
    """The id of the key that opens a sealed value, read from its header. Raises `Unsealable` if it has none."""
    if len(sealed) < _HEADER or not sealed.startswith(VERSION):
        raise Unsealable("not a sealed value of a known version")
    return UUID(bytes=sealed[len(VERSION) : len(VERSION) + _ID])


def wrap(master: bytes, key: bytes, place: Place) -> bytes:
    """Seal a data key under a master key: the same format, the key id being `identify(master)`."""
    if len(key) != KEY:
        raise ValueError(f"a data key has {KEY} bytes")
    return seal(derive(master, "wrap"), identify(master), key, place)


def unwrap(masters: Callable[[UUID], bytes], wrapped: bytes, place: Place) -> bytes:
    """The data key that `wrap` sealed; `masters` gives the master key of an id or raises LookupError.

    Raises `Unsealable`.
    """
    return open(lambda master_id: derive(masters(master_id), "wrap"), wrapped, place)


def identify(master: bytes) -> UUID:
    """The public name of a master key: a UUIDv8 (RFC 9562 §5.8) derived from it under the label `id`."""
    name = int.from_bytes(derive(master, "id")[:_ID], "big")
    return UUID(int=name & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62)


def derive(master: bytes, label: str) -> bytes:
    """A key of 32 bytes for one purpose: HKDF-SHA256 (RFC 5869) without salt, the label in UTF-8 as info."""
    if len(master) != KEY:
        raise ValueError(f"a master key has {KEY} bytes")
    return HKDF(algorithm=SHA256(), length=KEY, salt=None, info=label.encode()).derive(master)


def digest(pepper: bytes, token: str) -> bytes:
    """The form in which an API key is stored: HMAC-SHA256 keyed with the pepper, 32 bytes.

    A fast hash is right for keys of 178 random bits; passwords need Argon2.
    """
    return hmac.digest(pepper, token.encode(), "sha256")


def same(one: str | bytes, other: str | bytes) -> bool:
    """Compare two secrets in a time that depends on their length only; a str equals its UTF-8 bytes."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY:  # AESGCM itself would take AES-128 and AES-192 keys
        raise ValueError(f"a key has {KEY} bytes")
    return AESGCM(key)


def _bound(place: Place, key_id: UUID) -> bytes:
    """The additional authenticated data: each part after its length in two bytes, so that no two places look alike."""
    parts = (
        VERSION,
        place.tenant.bytes,
        place.table.encode(),
        place.column.encode(),
        place.row.bytes,
        key_id.bytes,
    )
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
