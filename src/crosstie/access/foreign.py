"""Tokens of trusted issuers: who may use one, for which tenant, as which user, to do what.

A token counts for a tenant that registered its issuer and audience, and for no other; each registration is tried with
its own keys, so that nobody can vouch for another tenant's people. What a token says about a person is kept as a user
at the first request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from crosstie.access import directory, jwt
from crosstie.access import user as users
from crosstie.access.jwks import KeySets, NoKeys, Source
from crosstie.access.jwt import BadToken, Token
from crosstie.access.role import scopes_of
from crosstie.access.scope import RESERVED
from crosstie.access.token import KNOWN, TTL, Grant
from crosstie.access.user import User
from crosstie.db.statement import Statement
from crosstie.errors import Conflict, Forbidden, Invalid, Unavailable
from crosstie.kit import clock, ids
from crosstie.log.event import Actor
from crosstie.log.unit import Log, Unit

#: types that a header may have: tokens for access, and for identity where the tenant registered the client as audience
TYPES = ("none", "jwt", "at+jwt")
#: characters of a text and words of a list that are read
WORDS = 200
#: who makes users of tokens
MAKER = Actor("system", "trusted-issuers", frozenset("*"))
OWN = Statement("SELECT name, scopes FROM roles WHERE NOT built_in AND name = ANY ($1::text[])", ["names"])


@dataclass(slots=True)
class Registration:
    """That a tenant trusts an issuer, and on which terms."""

    tenant_id: UUID
    slug: str
    status: str
    issuer: str
    id: UUID
    audience: str
    source: Source
    claims: Mapping[str, str | None]
    roles: Mapping[str, str]
    default_role: str | None
    scopes: frozenset[str]


class Foreign:
    """Reads tokens of trusted issuers. One per process."""

    def __init__(self, log: Log, keys: KeySets) -> None:
        self._log = log
        self._keys = keys
        self._trusted: dict[str, tuple[float, list[Registration]]] = {}

    async def grant(self, token: Token, ip: str | None, hint: str | None) -> Grant:
        """The grant of a token; `hint` picks one of several tenants.

        Raises BadToken; Forbidden where the token is good but its bearer has no place here; Unavailable while the
        issuer's keys cannot be had.
        """
        known = await self._registrations(token.issuer)
        meant = [each for each in known if hint is None or str(each.tenant_id) == hint.strip().lower()]
        holding = await self._holding(token, meant or known)
        if not holding:
            raise BadToken("no tenant takes it")
        if not meant:
            raise Forbidden("The token is not valid for the tenant in X-Tenant-ID.")
        if len({each.tenant_id for each in holding}) > 1:
            raise Forbidden("The issuer belongs to several tenants: name one in X-Tenant-ID.")
        return await self._granted(token, holding[0])

    async def _holding(self, token: Token, registrations: list[Registration]) -> list[Registration]:
        """Those that take the token. Where it names its tenant to one, the others are not asked.

        So nobody who registers another's issuer can make its tokens ambiguous, or slow by keys that never come.
        """
        away: NoKeys | None = None
        for bound in (True, False):
            holding = []
            for each in registrations:
                try:
                    if (each.claims["tenant"] is not None) is bound and await self._holds(token, each):
                        holding.append(each)
                except NoKeys as error:
                    away = error
            if holding:
                return holding
        if away is not None:
            raise Unavailable(
                "The issuer's keys cannot be fetched right now; try again.", headers={"Retry-After": "30"}
            ) from away
        return []

    async def _registrations(self, issuer: str) -> list[Registration]:
        now = time.monotonic()
        until, found = self._trusted.get(issuer, (0.0, []))
        if until < now:
            rows = await self._log.app.fetch("SELECT * FROM issuer_find($1)", issuer) if issuer else []
            found = [_registration(issuer, row) for row in rows]
            if len(self._trusted) >= KNOWN:
                self._trusted.clear()
            self._trusted[issuer] = now + TTL, found
        return found

    async def _holds(self, token: Token, trusted: Registration) -> bool:
        """Whether a token keeps what a registration asks for; the signature is looked at last. Raises NoKeys."""
        terms = jwt.Terms(trusted.issuer, trusted.audience, TYPES)
        algorithm, kid = token.header.get("alg"), token.header.get("kid")
        now = clock.now().timestamp()
        try:
            jwt.check(token.claims, terms, now)
            if "iat" not in token.claims or not _names(token.claims, trusted):
                return False
            if algorithm not in jwt.ALGORITHMS or (kid is not None and not isinstance(kid, str)):
                return False
            key = await self._keys.find(trusted.source, kid, algorithm)
            jwt.verify(token, lambda kid, alg: key, terms, now)
        except BadToken:
            return False
        return True

    async def _granted(self, token: Token, trusted: Registration) -> Grant:
        claims = token.claims
        actor = Actor("subject", f"{trusted.id}/{claims['sub']}")
        path = trusted.claims["roles"]
        roles = None
        if path is not None and claim(claims, path) is not None:
            roles = tuple(trusted.roles.get(each, each) for each in _words(claims, path))
        email = _text(claims, trusted.claims["email"])
        async with self._log.unit(trusted.tenant_id, MAKER) as unit:
            if email is not None:
                person = directory.Person(
                    issuer=trusted.issuer,
                    subject=str(claims["sub"]),
                    email=email,
                    at=datetime.fromtimestamp(float(claims["iat"]), UTC),
                    name=_text(claims, trusted.claims["name"]),
                    roles=roles,
                    default_role=trusted.default_role,
                )
                user = await _user(unit, person)
                actor, roles = Actor("user", str(user.id)), users.roles(user)
            own = {row["name"]: row["scopes"] for row in await unit.fetch(OWN, names=list(roles or ()))}
        scopes = _narrowed(scopes_of(roles or (), own), _words(claims, trusted.claims["scopes"]), trusted)
        return Grant(
            tenant_id=trusted.tenant_id,
            actor=Actor(actor.type, actor.id, scopes),
            ends_at=datetime.fromtimestamp(float(claims["exp"]) + jwt.LEEWAY, UTC),
            suspended=trusted.status == "suspended",
            fresh_until=time.monotonic() + TTL,
        )


async def _user(unit: Unit, person: directory.Person) -> User:
    """The user that a person is, made at the first request."""
    try:
        user, _ = await directory.user(unit, person)
    except (Conflict, Invalid) as problem:
        raise Forbidden(f"The token's bearer cannot be a user here. {problem.detail}") from problem
    if user.status != "active":
        raise Forbidden("This user is suspended.")
    return user


def _registration(issuer: str, row: asyncpg.Record) -> Registration:
    return Registration(
        tenant_id=row["tenant_id"],
        slug=row["tenant_slug"],
        status=row["tenant_status"],
        issuer=issuer,
        id=row["id"],
        audience=row["audience"],
        source=Source(issuer, row["jwks_uri"]),
        claims=row["claims"],
        roles=row["roles"],
        default_role=row["default_role"],
        scopes=frozenset(row["scopes"]),
    )


def _names(claims: Mapping[str, Any], trusted: Registration) -> bool:
    """Whether the claim that names the tenant, where one does, names this one."""
    path = trusted.claims["tenant"]
    if path is None:
        return True
    named = claim(claims, path)
    return isinstance(named, str) and (named == trusted.slug or ids.stable(named) == trusted.tenant_id)


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The value of a claim by its name, or by the names of objects that hold it, parted by dots."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _text(claims: Mapping[str, Any], path: str | None) -> str | None:
    found = claim(claims, path) if path else None
    return found[:WORDS] if isinstance(found, str) and found else None


def _words(claims: Mapping[str, Any], path: str | None) -> list[str]:
    """A list of texts, or the words of one."""
    found = claim(claims, path) if path else None
    listed = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    return [each for each in listed[:WORDS] if isinstance(each, str)]


def _narrowed(scopes: frozenset[str], claimed: list[str], trusted: Registration) -> frozenset[str]:
    """What roles allow, within what the token claims where it claims something, within what the registration allows."""
    if claimed and scopes and "*" not in scopes:
        scopes &= frozenset(claimed)
    elif claimed:
        scopes = frozenset(claimed) - RESERVED.keys()
    if "*" in trusted.scopes:
        return scopes
    return trusted.scopes if "*" in scopes else scopes & trusted.scopes
