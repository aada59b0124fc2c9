"""Standard Webhooks 1.0: sign what leaves, verify what arrives.

Source of every rule: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

A webhook carries `webhook-id`, `webhook-timestamp` (whole Unix seconds of this attempt) and `webhook-signature`, a list
of `version,base64` separated by spaces. Signed is `{id}.{timestamp}.{body}`, byte for byte.

    v1    HMAC-SHA256   one secret on both sides, `whsec_` + base64 of 24 to 64 bytes
    v1a   ed25519       `whsk_` + base64 of 64 bytes (seed and public key) signs, `whpk_` + base64 of 32 bytes verifies
"""

from __future__ import annotations

import binascii
import hmac
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
TOLERANCE = 300
"""Seconds, into the past and into the future; the standard names no number, every reference library uses this one."""

ENTRIES = 16
"""Entries of one `webhook-signature` that are looked at: a rotation needs two, a hostile sender gets no more work."""

Reason: TypeAlias = Literal["missing_header", "invalid_timestamp", "too_old", "too_new", "no_match"]


class SecretError(ValueError):
    """A secret that cannot be used; the message says why and never repeats it."""


class VerificationError(Exception):
    """A request that nobody vouches for; `reason` is for the operator, not for the sender."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Signer(Protocol):
    """A secret with its key prepared."""

    def sign(self, content: bytes) -> str:
        """One entry of `webhook-signature`: `version,base64`."""


class Checker(Protocol):
    """The receiving side of one secret."""

    def check(self, content: bytes, entries: Sequence[str]) -> bool:
        """Does one of the entries of `webhook-signature` fit? Never raises."""


class Symmetric:
    """A `whsec_` secret: signs and checks `v1`."""

    __slots__ = ("_key",)

    def __init__(self, secret: str) -> None:
        self._key = _decode(secret, "whsec_")
        if not 24 <= len(self._key) <= 64:
            raise SecretError(f"a whsec_ secret holds 24 to 64 bytes, this one {len(self._key)}")

    def sign(self, content: bytes) -> str:
        return "v1," + _encode(hmac.digest(self._key, content, "sha256"))

    def check(self, content: bytes, entries: Sequence[str]) -> bool:
        expected = self.sign(content).encode()
        found = False
        for entry in entries:
            found |= hmac.compare_digest(expected, entry.encode("utf-8", "replace"))
        return found


class Private:
    """A `whsk_` secret: signs `v1a`."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: str) -> None:
        raw = _decode(secret, "whsk_")
        if len(raw) != 64:
            raise SecretError(f"a whsk_ secret holds 64 bytes (seed and public key), this one {len(raw)}")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[:32])
        public = self._key.public_key().public_bytes_raw()
        if public != raw[32:]:
            raise SecretError("the two halves of this whsk_ secret do not belong together")
        self.public = "whpk_" + _encode(public)

    def sign(self, content: bytes) -> str:
        return "v1a," + _encode(self._key.sign(content))


class Public:
    """A `whpk_` key: checks `v1a`."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        raw = _decode(key, "whpk_")
        if len(raw) != 32:
            raise SecretError(f"a whpk_ key holds 32 bytes, this one {len(raw)}")
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def check(self, content: bytes, entries: Sequence[str]) -> bool:
        for entry in entries:
            if entry.startswith("v1a,"):
                try:
                    self._key.verify(
                        binascii.a2b_base64(entry[4:].encode("utf-8", "replace"), strict_mode=True), content
                    )
                except (InvalidSignature, ValueError):
                    continue
                return True
        return False


def generate() -> str:
    """A new `whsec_` secret of 32 random bytes."""
    return "whsec_" + _encode(secrets.token_bytes(32))


def generate_pair() -> tuple[str, str]:
    """A new `whsk_` secret and its `whpk_` key."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return "whsk_" + _encode(key.private_bytes_raw() + public), "whpk_" + _encode(public)


def signer(secret: str) -> Symmetric | Private:
    """The signer of a `whsec_` or `whsk_` secret.

    Raises:
        SecretError: it is neither, or not well formed.
    """
    return Private(secret) if secret.startswith("whsk_") else Symmetric(secret)


def checker(secret: str) -> Symmetric | Public:
    """The checker of a `whsec_` secret or a `whpk_` key.

    Raises:
        SecretError: it is neither, or not well formed.
    """
    return Public(secret) if secret.startswith("whpk_") else Symmetric(secret)


def headers(signers: Iterable[Signer], id: str, body: bytes, now: float | None = None) -> dict[str, str]:
    """The three headers of one attempt, signed with every secret that is valid (two during a rotation).

    `now` is Unix seconds. An id with a full stop would make the signed bytes ambiguous and is a ValueError.
    """
    if "." in id:
        raise ValueError("a webhook-id must not contain a full stop")
    timestamp = int(time.time() if now is None else now)
    content = b"%b.%d.%b" % (id.encode(), timestamp, body)
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join([one.sign(content) for one in signers])}


def verify(checkers: Iterable[Checker], headers: Mapping[str, str], body: bytes, now: float | None = None) -> str:
    """The id of a request that one of the secrets vouches for.

    `headers` is looked up by lower-case names. Entries of unknown versions and malformed ones are passed over, as the
    standard wants; two secrets are accepted during a rotation. Comparisons take the same time wherever they differ.

    Raises:
        VerificationError: a header is missing, the time is more than TOLERANCE away from `now` (Unix seconds), or
            nothing fits.
    """
    message, timestamp, signature = headers.get(ID), headers.get(TIMESTAMP), headers.get(SIGNATURE)
    if not message or not timestamp or not signature:
        raise VerificationError("missing_header")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise VerificationError("invalid_timestamp")
    drift = int(timestamp) - (time.time() if now is None else now)
    if abs(drift) > TOLERANCE:
        raise VerificationError("too_new" if drift > 0 else "too_old")
    content = b"%b.%b.%b" % (message.encode("utf-8", "replace"), timestamp.encode(), body)
    entries = signature.split(" ", ENTRIES)[:ENTRIES]
    found = False
    for one in checkers:
        found |= one.check(content, entries)
    if not found:
        raise VerificationError("no_match")
    return message


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode()


def _decode(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise SecretError(f"a webhook secret starts with {prefix}")
    try:
        return binascii.a2b_base64(secret.removeprefix(prefix).encode("ascii"), strict_mode=True)
    except ValueError:
        raise SecretError(f"what follows {prefix} is not standard base64") from None
