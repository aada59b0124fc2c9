"""Signing in with a password: the same answer, and the same work, for whoever is not let in."""

from __future__ import annotations

from crosstie.access import password, throttle
from crosstie.access.session import Session, Sessions, SignedIn, person
from crosstie.access.throttle import Limit
from crosstie.errors import Unauthorized
from crosstie.log.event import Actor
from crosstie.log.unit import Unit

#: tries, seconds: for one account from one address; for one account from anywhere; from one address for any account
HERE, ANYWHERE, FROM = (10, 900), (100, 3600), (300, 900)


async def by_password(
    sessions: Sessions, email: str, secret: str, tenant: str, ip: str | None, agent: str | None
) -> str:
    """The cookie of a new sign-in.

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
        raise Unauthorized(REFUSED)
    async with sessions.log.unit(row["tenant_id"], Actor("user", str(row["id"]))) as unit:
        whose = await person(unit.connection, row["tenant_id"], row["id"])
        if whose is None or not whose.active or not whose.local:
            raise Unauthorized(REFUSED)
        token = await sessions.start(unit, row["id"], ("password",), ip, agent)
    await throttle.clear(pool, pepper, (here, account), origin)
    return token


REFUSED = "E-mail address, password or firm are not right."


async def again(
    sessions: Sessions, unit: Unit, before: SignedIn, method: str, ip: str | None, agent: str | None
) -> str:
    """The cookie of a sign-in that takes another one's place, with a further method: rights rise, secrets change."""
    row = await unit.get(Session, before.id, lock=True)
    token = await sessions.start(unit, before.user_id, (*before.methods, method), ip, agent)
    unit.update(row, {"ended_at": unit.now})
    return token
