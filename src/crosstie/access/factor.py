"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for when the phone is lost."""

from __future__ import annotations

import os
import re
from base64 import b32encode
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from crosstie.access import link, throttle
from crosstie.access.throttle import Limit
from crosstie.access.user import NO_FACTOR, USERS, User
from crosstie.errors import Fault, Forbidden, LinkExpired
from crosstie.kit import clock, crypto, ids
from crosstie.log import change
from crosstie.log.unit import Cipher, Log, Unit

#: seconds of one code, and its digits: what every app has
STEP, DIGITS = 30, 6
SEED = 20
RECOVERY = 10
#: characters of a recovery code: 59 bits
LENGTH = 10
OFFER = "factor"
OFFERED = timedelta(minutes=20)
#: tries, seconds: of one user in a short and in a long while
SOON, LATE = (5, 900), (50, 86_400)


def offer(cipher: Cipher, tenant_id: UUID, user_id: UUID) -> str:
    """A new seed in a signed token: nothing is kept until a code shows that an app has it."""
    about = {"user": str(user_id), "seed": os.urandom(SEED).hex()}
    return link.make(cipher, OFFER, tenant_id, about, clock.now() + OFFERED)


def offered(cipher: Cipher, token: str, user_id: UUID) -> bytes:
    """The seed of an offer that was made to this user. Raises LinkExpired."""
    about = link.read(cipher, OFFER, token, clock.now()).about
    if about["user"] != str(user_id):
        raise LinkExpired("The offer was made to another user.")
    return bytes.fromhex(about["seed"])


def address(seed: bytes, email: str, firm: str) -> str:
    """The `otpauth://` address that an app reads from a picture."""
    return _codes(seed).get_provisioning_uri(email, f"Crosstie {firm}".replace(":", " "))


def by_hand(seed: bytes) -> str:
    """The seed as people type it."""
    text = b32encode(seed).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


async def count(pool: asyncpg.Pool, pepper: bytes, user_id: UUID) -> None:
    """Count a try of a code. Raises TooManyRequests."""
    limits = (Limit(f"code {user_id}", *SOON), Limit(f"codes {user_id}", *LATE))
    await throttle.take(pool, pepper, limits)


async def right(log: Log, user_id: UUID) -> None:
    """A code was right: the short count begins anew."""
    await throttle.clear(log.app, log.cipher.pepper, (f"code {user_id}",), f"codes {user_id}")


async def add(unit: Unit, user_id: UUID, seed: bytes, code: str) -> list[str]:
    """Make the offered seed the user's factor, as the code shows that an app has it: his recovery codes.

    The tenant's keys must be loaded. Raises Forbidden for a wrong code.
    """
    row = await unit.get(User, user_id, lock=True)
    step = _step(seed, code, after=-1, now=int(unit.now.timestamp()))
    if step is None:
        raise _wrong()
    sealed = unit.log.cipher.seal(unit.tenant_id, seed, "users", "totp", user_id)
    codes, kept = _recovery(unit.log.cipher)
    values = {"totp": sealed, "totp_since": unit.now, "totp_step": step, "recovery": kept}
    change.tell(unit, USERS, "user.factor_added", unit.update(row, values))
    return codes


async def prove(unit: Unit, user_id: UUID, code: str) -> Literal["totp", "recovery"]:
    """Which factor the code is of; it is used up. Raises Forbidden where it is wrong or was used.

    The tenant's keys must be loaded.
    """
    row = await unit.get(User, user_id, lock=True)
    if row.totp is None:
        raise _wrong()
    seed = await unit.log.cipher.unseal(unit.connection, unit.tenant_id, row.totp, "users", "totp", user_id)
    step = _step(seed, code, after=row.totp_step or 0, now=int(unit.now.timestamp()))
    if step is not None:
        unit.update(row, {"totp_step": step})
        return "totp"
    digest = _digest(unit.log.cipher, code)
    if digest not in (row.recovery or ()):
        raise _wrong()
    after = unit.update(row, {"recovery": [each for each in row.recovery or () if each != digest]})
    change.tell(unit, USERS, "user.recovery_used", after)
    return "recovery"


async def renew(unit: Unit, user_id: UUID) -> list[str]:
    """New recovery codes; the old ones work no more."""
    row = await unit.get(User, user_id, lock=True)
    codes, kept = _recovery(unit.log.cipher)
    unit.update(row, {"recovery": kept})
    return codes


async def drop(unit: Unit, user_id: UUID) -> None:
    """Take the factor away."""
    row = await unit.get(User, user_id, lock=True)
    change.tell(unit, USERS, "user.factor_reset", unit.update(row, NO_FACTOR))


def _wrong() -> Forbidden:
    words = "the code is not right, or was used already"
    return Forbidden("The second factor was not given.", errors=[Fault("/code", "wrong_code", words)])


def _codes(seed: bytes) -> TOTP:
    return TOTP(seed, DIGITS, SHA1(), STEP)  # noqa: S303  # what authenticator apps speak; HMAC-SHA1 stands


def _step(seed: bytes, code: str, *, after: int, now: int) -> int | None:
    """The step of time whose code this is, one before and one behind included; each works once."""
    given = re.sub(r"\s", "", code)
    for step in (now // STEP - 1, now // STEP, now // STEP + 1):
        if step > after and crypto.same(_codes(seed).generate(step * STEP), given.encode()):
            return step
    return None


def _recovery(cipher: Cipher) -> tuple[list[str], list[str]]:
    """New recovery codes, and the form in which they are kept."""
    codes = [ids.random62(LENGTH) for _ in range(RECOVERY)]
    return [f"{code[:5]}-{code[5:]}" for code in codes], [_digest(cipher, code) for code in codes]


def _digest(cipher: Cipher, code: str) -> str:
    return crypto.digest(cipher.pepper, f"recovery {re.sub(r'[^0-9A-Za-z]', '', code)}").hex()
