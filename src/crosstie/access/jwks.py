"""Public keys of issuers (RFC 7517): fetched when first needed, kept for minutes, asked for when a key is unknown.

A set that cannot be fetched leaves the one before in use for a day, so that an issuer that is down for a while locks
nobody out. Keys nobody knows cost one fetch in half a minute, however many tokens name them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from crosstie.kit import json

#: seconds that a set is used without asking, may be used where the issuer does not answer, and between two tries
KEEP, STALE, REST = 300.0, 86_400.0, 30.0
#: sets kept, and keys of one set
SETS, KEYS = 1_000, 100
RSA_BITS = 2048
DISCOVERY = "/.well-known/openid-configuration"

logger = structlog.get_logger()


class NoKeys(Exception):
    """The issuer's keys cannot be had now."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the keys of an issuer are: at `jwks_uri`, else where its discovery document says."""

    issuer: str
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a set, with what the set says it is for."""

    kid: str | None
    alg: str | None
    key: Key

    def signs(self, alg: str) -> bool:
        """Whether a signature of this algorithm may be this key's."""
        if self.alg is not None and self.alg != alg:
            return False
        if isinstance(self.key, RSAKey):
            return alg.startswith(("RS", "PS"))
        if isinstance(self.key, ECKey):
            return alg == {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(self.key.curve_name)
        return alg == "EdDSA" and isinstance(self.key, OKPKey)


@dataclass(slots=True)
class Known:
    """What is known of one source; times are the monotonic clock's."""

    keys: tuple[PublicKey, ...] = ()
    fetched: float = float("-inf")
    tried: float = float("-inf")
    #: when an unknown key was last the reason to ask
    missed: float = float("-inf")
    task: asyncio.Task[None] | None = None

    @property
    def asking(self) -> bool:
        """Whether an answer is under way, for which everybody waits."""
        return self.task is not None and not self.task.done()


class KeySets:
    """The key sets of issuers. One per process; `fetch` gives the document at a URL, or raises OSError."""

    def __init__(self, fetch: Callable[[str], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[Source, Known] = {}

    async def find(self, source: Source, kid: str | None, alg: str) -> Key | None:
        """The key that may have made a signature, or None where the issuer has none such.

        Without a `kid` it is found only where there is one that could be meant. Raises NoKeys.
        """
        known = self._known.get(source)
        if known is None:
            if len(self._known) >= SETS:
                del self._known[next(iter(self._known))]
            known = self._known[source] = Known()
        now = self._clock()
        if now - known.fetched > KEEP and (known.asking or now - known.tried > REST):
            await self._refresh(source, known)
        if now - known.fetched > STALE:
            raise NoKeys(f"the keys of {source.issuer} cannot be fetched")
        found = _pick(known.keys, kid, alg)
        if found is None and kid is not None and (known.asking or now - known.missed > REST):
            known.missed = now
            await self._refresh(source, known)
            found = _pick(known.keys, kid, alg)
        return found

    async def _refresh(self, source: Source, known: Known) -> None:
        """Ask once, however many wait for the answer."""
        if known.task is None or known.task.done():
            known.task = asyncio.create_task(self._ask(source, known))
        await asyncio.shield(known.task)

    async def _ask(self, source: Source, known: Known) -> None:
        known.tried = self._clock()
        try:
            uri = source.jwks_uri or await self._discover(source.issuer)
            known.keys = read(await self._fetch(uri))
            known.fetched = self._clock()
        except (OSError, ValueError) as error:
            logger.warning("issuer.keys_failed", issuer=source.issuer, error=str(error))

    async def _discover(self, issuer: str) -> str:
        document = json.loads(await self._fetch(issuer.rstrip("/") + DISCOVERY))
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise ValueError("the discovery document is another issuer's")
        uri = document.get("jwks_uri")
        if not isinstance(uri, str):
            raise ValueError("the discovery document names no jwks_uri")
        return uri


def read(body: bytes) -> tuple[PublicKey, ...]:
    """The keys of a set that may sign. One that cannot be used is left out; raises ValueError where it is no set."""
    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the document is no key set")
    return tuple(key for each in listed[:KEYS] if (key := _usable(each)) is not None)


def _usable(each: Any) -> PublicKey | None:
    """A public key for signatures that is strong enough, or None."""
    if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or "d" in each:
        return None
    if each.get("use", "sig") != "sig" or "verify" not in each.get("key_ops", ["verify"]):
        return None
    if each["kty"] == "RSA" and not (isinstance(each.get("n"), str) and len(each["n"]) * 6 >= RSA_BITS):
        return None
    try:
        key = jwk.import_key({name: each[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in each})
        if isinstance(key, RSAKey) and key.raw_value.key_size < RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    kid, alg = each.get("kid"), each.get("alg")
    return PublicKey(kid if isinstance(kid, str) else None, alg if isinstance(alg, str) else None, key)


def _pick(keys: tuple[PublicKey, ...], kid: str | None, alg: str) -> Key | None:
    fitting = [each for each in keys if each.signs(alg) and (kid is None or each.kid == kid)]
    return fitting[0].key if len(fitting) == 1 else None
