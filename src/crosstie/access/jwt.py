"""Signed tokens (RFC 7519), read with suspicion (RFC 8725): what a header says is believed for nothing but the look-up
of a key, and every claim that counts is checked here, because decoding alone takes a token that is over.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from crosstie.kit import json

#: characters of a token; ours have about 900
MOST = 8192
#: seconds by which two clocks may differ
LEEWAY = 60
#: what may sign: nothing that both sides could have made, nothing that signs nothing
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
#: headers that would change how a token is read (RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1)
REFUSED = frozenset(("crit", "b64", "zip", "enc"))
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LATEST = 1 << 53


class BadToken(ValueError):
    """The token is not valid. The reason is for a log, not for its bearer."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its bearer wrote it: nothing in it is proved."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """Who issued it, by its own word; empty where it says nothing."""
        found = self.claims.get("iss")
        return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a token must say to be taken: issuer and audience exactly, its type, and how it may be signed."""

    issuer: str
    audience: str
    #: types of the header in lower case (RFC 9068 §4); empty: any, or none
    types: Collection[str] = ()
    algorithms: Collection[str] = ALGORITHMS
    #: texts that must be there beside issuer and audience
    required: Collection[str] = ("sub",)


def parse(text: str) -> Token:
    """Take a token apart. Raises BadToken for what is not three parts of which two are JSON objects, or is too large.

    The JSON is read strictly: a name that stands twice could be read in two ways.
    """
    if len(text) > MOST or _FORM.fullmatch(text) is None:
        raise BadToken(f"no token of at most {MOST} characters in three parts")
    header, claims, _ = text.split(".")
    return Token(text, _object(header), _object(claims))


def verify(token: Token, find: Callable[[str, str], Key | None], terms: Terms, now: float) -> Mapping[str, Any]:
    """The claims of a token that holds. `find` is (kid, algorithm) → key or None; `now` in seconds since 1970.

    Raises BadToken.
    """
    header = token.header
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if REFUSED & header.keys():
        raise BadToken("the header asks for what is not supported")
    if not isinstance(algorithm, str) or algorithm not in terms.algorithms:
        raise BadToken("the algorithm is not allowed")
    if terms.types and str(header.get("typ")).lower().removeprefix("application/") not in terms.types:
        raise BadToken("the token is of another type")
    if not isinstance(kid, str) or len(kid) > 200:
        raise BadToken("the key's name is no short text")
    key = find(kid, algorithm)
    if key is None:
        raise BadToken("the key is not known")
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = MOST
    try:
        jws.deserialize_compact(token.text, key, registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        raise BadToken("the signature does not hold") from error
    check(token.claims, terms, now)
    return token.claims


def check(claims: Mapping[str, Any], terms: Terms, now: float) -> None:
    """Raise BadToken unless the claims meet the terms at this moment (RFC 7519 §4.1, RFC 9068 §4)."""
    audience = claims.get("aud")
    members = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != terms.issuer:
        raise BadToken("the issuer is another")
    if terms.audience not in members:
        raise BadToken("the token is for somebody else")
    for name in terms.required:
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise BadToken(f"{name} is missing")
    if _moment(claims, "exp", needed=True) <= now - LEEWAY:
        raise BadToken("the token is over")
    if _moment(claims, "nbf") > now + LEEWAY or _moment(claims, "iat") > now + LEEWAY:
        raise BadToken("the token is not yet valid")


def _moment(claims: Mapping[str, Any], name: str, *, needed: bool = False) -> float:
    found = claims.get(name)
    if found is None and not needed:
        return 0.0
    if isinstance(found, bool | str | list | dict) or found is None or not 0 <= found < _LATEST:
        raise BadToken(f"{name} is no number of seconds")
    return float(found)


def _object(part: str) -> Mapping[str, Any]:
    raw = urlsafe_b64decode(part + "=" * (-len(part) % 4)) if len(part) % 4 != 1 else b""
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise BadToken("a part has no canonical form")  # the same bytes could be written in several ways
    try:
        found = json.loads(raw)
    except json.BadJson as error:
        raise BadToken("a part cannot be read") from error
    if not isinstance(found, dict):
        raise BadToken("a part is no object")
    return found
