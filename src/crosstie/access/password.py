"""Passwords: Argon2id in a thread; short ones and those that are guessed first are refused."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from crosstie.declare.shape import fault

SHORTEST, LONGEST = 12, 256
#: guesses that a password must stand, as zxcvbn counts them (its highest score)
GUESSES = 1e10
#: what is looked at: the time that takes rises with the square of the length
LOOKED_AT = 72
#: Argon2 takes 64 MiB each: so many at once, however many ask
AT_ONCE = 4

_hasher = PasswordHasher()
_turns = asyncio.Semaphore(AT_ONCE)


@cache
def _nobody() -> str:
    """What is verified where there is no user or no password, so that it takes as long."""
    return _hasher.hash("nobody's password")


def _normal(secret: str) -> str:
    """One form of the characters, whatever keyboard wrote them (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", secret)


async def hashed(secret: str) -> str:
    """The form in which a password is kept; it takes tens of milliseconds by design."""
    async with _turns:
        return await asyncio.to_thread(_hasher.hash, _normal(secret))


async def fits(kept: str | None, secret: str) -> bool:
    """Whether this is the password. Takes as long where there is none."""
    if len(secret) > LONGEST:
        secret = ""
    async with _turns:
        found = await asyncio.to_thread(_verify, kept, _normal(secret))
    return found and kept is not None


def _verify(kept: str | None, secret: str) -> bool:
    try:
        return _hasher.verify(kept or _nobody(), secret)
    except (VerificationError, InvalidHashError):
        return False


async def refuse_weak(secret: str, about: Iterable[str | None], pointer: str = "/password") -> None:
    """Raise Invalid for a password that is short, or found soon by who knows breached lists and what is `about` him."""
    if len(secret) < SHORTEST:
        raise fault(pointer, "short", f"the password must have at least {SHORTEST} characters")
    if len(secret) > LONGEST:
        raise fault(pointer, "long", f"the password must have at most {LONGEST} characters")
    words = [word for text in about if text for word in re.split(r"[^\w]+", text) if len(word) > 2]
    if await asyncio.to_thread(_guesses, secret, words) < GUESSES:
        raise fault(pointer, "guessable", "the password is among those that are tried first; take another")


def _guesses(secret: str, words: list[str]) -> float:
    return float(zxcvbn(_normal(secret)[:LOOKED_AT], user_inputs=words)["guesses"])
