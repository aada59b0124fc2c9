"""Signing in with a password: the same answer, and the same work, for whoever is not let in."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from crosstie.access import audit, password, throttle
from crosstie.access.session import Sessions, SignedIn, person
from crosstie.access.throttle import Limit
from crosstie.errors import Unauthorized
from crosstie.log.event import NOBODY, Actor
from crosstie.log.unit import Log

#: tries, seconds: for one account from one address; for one account from anywhere; from one address for any account
HERE, ANYWHERE, FROM = (10, 900), (100, 3600), (300, 900)


async def by_password(
    sessions: Sessions,
    email: str,
    secret: str,
    tenant: str,
    ip: str | None,
    agent: str | None,
    before: SignedIn | None = None,
) -> str:
    """The cookie of a sign-in: a new one, or the one before where the same person proves again who he is.

    `tenant` is a slug, or empty where the address has a password in one tenant only. Raises Unauthorized where address,
    tenant or password are wrong or may not act, and TooManyRequests; neither says whether the address is known.
    """
    pool, pepper = sessions.log.app, sessions.log.cipher.pepper
    email, tenant = email.strip().lower()[:254], tenant.strip().lower()[:63]
    account, origin = f"password {email}", f"from {throttle.network(ip)}"
    here = f"{account} {origin}"
    limits = (Limit(here, *HERE), Limit(account, *ANYWHERE), Limit(origin, *FROM))
    await throttle.take(pool, pepper, limits)
    rows = await pool.fetch("SELECT * FROM user_find($1, $2)", email, tenant)
    row = rows[0] if len(rows) == 1 else None
    kept = row["password_hash"] if row is not None else None
    if not await password.fits(kept, secret) or row is None:
        await _refused(sessions.log, row)
        raise Unauthorized(REFUSED)
    token = await _started(sessions, row["tenant_id"], row["id"], ip, agent, before)
    if token is None:
        await _refused(sessions.log, row)
        raise Unauthorized(REFUSED)
    await throttle.clear(pool, pepper, (here, account), origin)
    return token


async def _started(
    sessions: Sessions, tenant_id: UUID, user_id: UUID, ip: str | None, agent: str | None, before: SignedIn | None
) -> str | None:
    """The cookie, or None where the user may not act or an issuer elsewhere keeps his identity."""
    async with sessions.log.unit(tenant_id, Actor("user", str(user_id))) as unit:
        whose = await person(unit.connection, tenant_id, user_id)
        if whose is None or not whose.active or not whose.local:
            return None
        if before is not None and before.user_id == user_id:
            return await sessions.renew(unit, before.id, ("password",))
        return await sessions.start(unit, user_id, ("password",), ip, agent)


async def _refused(log: Log, row: asyncpg.Record | None) -> None:
    """A failed sign-in is in the audit log of the tenant, or of the installation: the same work for both."""
    tenant_id, target = (row["tenant_id"], ("user", str(row["id"]))) if row is not None else (audit.INSTALLATION, None)
    await audit.note(log.app, log.cipher, tenant_id, NOBODY, "sessions.create", outcome="failed", target=target)


REFUSED = "E-mail address, password or firm are not right."
