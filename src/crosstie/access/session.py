"""Sign-ins of people: a secret in a cookie, kept as a keyed hash; read afresh at every request, so that an end, a
suspension or another role counts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access.role import PRIVILEGED, scopes_of
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import noun_event
from crosstie.declare.field import many, moment, ref, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.kit import clock, crypto, ids
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.log.unit import Log, Unit

#: how often it is written down that a sign-in is in use
SEEN = timedelta(minutes=1)


class Session(Record):
    """A sign-in of a user with a browser."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = ref("users", doc="Who signed in.")
    methods: Mapped[list[str]] = many(kinds.Text(20), doc="How: `password`, `totp`, `recovery`, `passkey`.")
    authenticated_at: Mapped[datetime] = moment(doc="When they last proved who they are.")
    seen_at: Mapped[datetime] = moment(doc="When it was last used, to the minute.")
    expires_at: Mapped[datetime] = moment(doc="When it ends in any case.")
    ended_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was ended.")
    ip: Mapped[str | None] = text(49, nullable=True, personal=True, doc="The address they signed in from.")
    agent: Mapped[str | None] = text(300, nullable=True, personal=True, doc="What their browser calls itself.")
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary, index=True)


async def _end(unit: Unit, row: Session, given: Mapping[str, Any]) -> Session:
    return end(unit, row)


def end(unit: Unit, row: Session) -> Session:
    """End a sign-in; what was ended stays so."""
    if row.ended_at is not None:
        return row
    after = unit.update(row, {"ended_at": unit.now})
    change.tell(unit, SESSIONS, "session.ended", after)
    change.note(unit, SESSIONS, "end", row, after)
    return after


SESSIONS = Resource(
    row=Session,
    name="sessions",
    read=(
        Session.id,
        Session.user_id,
        Session.methods,
        Session.authenticated_at,
        Session.seen_at,
        Session.expires_at,
        Session.ended_at,
        Session.ip,
        Session.agent,
        Session.created_at,
        Session.updated_at,
    ),
    filter=(Session.user_id,),
    verbs=READ_ONLY,
    events=Events(created="session.started", updated=None, deleted=None),
    actions=(Action("end", _end, "A sign-in was ended.", events=("session.ended",)),),
)

RENEWED = noun_event(SESSIONS, "session.renewed", "Somebody proved again who he is, or in a further way.")


@dataclass(frozen=True, slots=True)
class Person:
    """A user as he is now, and what his roles let him do."""

    tenant_id: UUID
    user_id: UUID
    email: str
    name: str | None
    firm: str
    slug: str
    roles: tuple[str, ...]
    scopes: frozenset[str]
    outlet_ids: tuple[str, ...]
    locale: str
    #: user and tenant may act
    active: bool
    #: Crosstie keeps his identity, not an issuer elsewhere
    local: bool
    #: has a second factor
    enrolled: bool
    #: must have one
    obliged: bool

    @property
    def actor(self) -> Actor:
        """He as the one who does something."""
        return Actor("user", str(self.user_id), self.scopes)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that has not ended, and whose it is."""

    id: UUID
    person: Person
    methods: tuple[str, ...]
    authenticated_at: datetime
    expires_at: datetime
    seen_at: datetime

    @property
    def tenant_id(self) -> UUID:
        """The tenant of whoever signed in."""
        return self.person.tenant_id

    @property
    def user_id(self) -> UUID:
        """Who signed in."""
        return self.person.user_id

    @property
    def roles(self) -> tuple[str, ...]:
        """His roles, the main one first."""
        return self.person.roles

    @property
    def scopes(self) -> frozenset[str]:
        """What his roles let him do."""
        return self.person.scopes

    @property
    def lacks(self) -> Literal["code", "factor"] | None:
        """What is still to do before the sign-in counts: give the second factor, or get one."""
        if self.methods != ("password",):
            return None
        if self.person.enrolled:
            return "code"
        return "factor" if self.person.obliged else None


PERSON = """
SELECT u.id, u.email, u.name, u.role, u.further_roles, u.outlet_ids, u.issuer, u.totp_since, u.status,
  t.status AS tenant_status, t.slug, t.name AS firm, t.locale, t.second_factor, t.identity_issuer,
  (SELECT coalesce(jsonb_object_agg(r.name, r.scopes), '{}') FROM roles r WHERE NOT r.built_in
    AND (r.name = u.role OR u.further_roles @> to_jsonb(r.name))) AS own
FROM users u CROSS JOIN tenants t WHERE u.id = $1
"""
LIVE = "SELECT * FROM sessions WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3"


async def person(connection: Connection, tenant_id: UUID, user_id: UUID) -> Person | None:
    """The user as he is now, or None. The connection is in a transaction of his tenant."""
    row = await connection.fetchrow(PERSON, user_id)
    if row is None:
        return None
    roles = (row["role"], *(role for role in row["further_roles"] if role != row["role"]))
    scopes = scopes_of(roles, row["own"])
    privileged = row["second_factor"] == "required_of_admins" and bool(scopes & PRIVILEGED)
    return Person(
        tenant_id=tenant_id,
        user_id=row["id"],
        email=row["email"],
        name=row["name"],
        firm=row["firm"],
        slug=row["slug"],
        roles=roles,
        scopes=scopes,
        outlet_ids=tuple(row["outlet_ids"]),
        locale=row["locale"],
        active=row["status"] == "active" and row["tenant_status"] == "active",
        local=row["issuer"] is None and row["identity_issuer"] is None,
        enrolled=row["totp_since"] is not None,
        obliged=privileged or row["second_factor"] == "required",
    )


class Sessions:
    """Knows who is signed in. One per process; nothing is kept in memory."""

    def __init__(self, log: Log, idle: int, longest: int) -> None:
        self.log = log
        self.idle = timedelta(seconds=idle)
        self.longest = timedelta(seconds=longest)

    async def current(self, token: str | None) -> SignedIn | None:
        """Who is signed in with this cookie, all factors given; else None."""
        found = await self.found(token)
        return found if found and found.lacks is None else None

    async def found(self, token: str | None) -> SignedIn | None:
        """The same, also where the second factor is still to come."""
        if not token or not token.startswith(PREFIX):
            return None
        digest = self._digest(token)
        tenant_id = await self.log.app.fetchval("SELECT session_find($1)", digest)
        if tenant_id is None:
            return None
        now = clock.now()
        async with session.of_tenant(self.log.app, tenant_id) as connection:
            row = await connection.fetchrow(LIVE, digest, now, now - self.idle)
            whose = await person(connection, tenant_id, row["user_id"]) if row else None
            if row is None or whose is None or not whose.active or not whose.local:
                return None
            if row["seen_at"] < now - SEEN:
                await connection.execute("UPDATE sessions SET seen_at = $1 WHERE id = $2", now, row["id"])
        return _signed_in(row, whose)

    async def start(
        self, unit: Unit, user_id: UUID, methods: tuple[str, ...], ip: str | None, agent: str | None
    ) -> str:
        """A new sign-in inside a unit of the user's tenant: the cookie's secret."""
        token = ids.token(PREFIX)
        values = {
            "user_id": user_id,
            "methods": list(methods),
            "authenticated_at": unit.now,
            "seen_at": unit.now,
            "expires_at": unit.now + self.longest,
            "ip": ip,
            "agent": (agent or "")[:300] or None,
            "hash": self._digest(token),
        }
        change.note(unit, SESSIONS, "create", None, await change.create(unit, SESSIONS, values))
        return token

    async def renew(self, unit: Unit, id: UUID, methods: tuple[str, ...]) -> str:
        """The same sign-in after another proof: the cookie's new secret. What was opened with it stays open."""
        row = await unit.get(Session, id, lock=True)
        token = ids.token(PREFIX)
        values = {
            "methods": list(methods),
            "authenticated_at": unit.now,
            "seen_at": unit.now,
            "expires_at": unit.now + self.longest,
            "hash": self._digest(token),
        }
        change.tell(unit, SESSIONS, "session.renewed", unit.update(row, values))
        return token

    async def end(self, token: str | None) -> None:
        """End the sign-in of this cookie."""
        found = await self.found(token)
        if found is not None:
            async with self.log.unit(found.tenant_id, found.person.actor) as unit:
                end(unit, await unit.get(Session, found.id, lock=True))

    def _digest(self, token: str) -> bytes:
        return crypto.digest(self.log.cipher.pepper, token)


PREFIX = "cts"


def _signed_in(row: asyncpg.Record, whose: Person) -> SignedIn:
    return SignedIn(row["id"], whose, tuple(row["methods"]), row["authenticated_at"], row["expires_at"], row["seen_at"])
