"""The token endpoint: read what a request refers to, run the grant on it, write its outcome in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, OAuth2Error, UnauthorizedClientError

from crosstie.access import session as sessions
from crosstie.access.oauth import client as clients
from crosstie.access.oauth import kept
from crosstie.access.oauth.app import EXCHANGE
from crosstie.access.oauth.client import Client, usable
from crosstie.access.oauth.exchange import Exchange
from crosstie.access.oauth.kept import Code, Refresh
from crosstie.access.oauth.mint import Mint
from crosstie.access.oauth.own import Own
from crosstie.access.oauth.server import Server, Snapshot
from crosstie.access.token import Tokens
from crosstie.db import session
from crosstie.kit import clock, crypto
from crosstie.log.event import Actor
from crosstie.log.trail import Act
from crosstie.log.unit import Log

logger = structlog.get_logger()


class Flows:
    """What the endpoints of one process share."""

    def __init__(self, log: Log, own: Own, tokens: Tokens) -> None:
        self.log = log
        self.own = own
        self.tokens = tokens

    @property
    def issuer(self) -> str:
        """This installation's name as an issuer: its address."""
        return self.log.address

    async def client(self, form: Mapping[str, str], authorization: str | None) -> Client:
        """The app that calls, which has proved it. Raises OAuth2Error."""
        name, secret = clients.credentials(form, authorization)
        found = await clients.find(self.log.app, name)
        if found is None or not found.proves(secret, self.log.cipher.pepper):
            raise clients.refused()
        return found

    async def token(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """What the token endpoint answers. Raises OAuth2Error."""
        if "grant_type" not in form:
            raise InvalidRequestError("grant_type is missing.")
        usable(client)
        self.target(form)
        snapshot = Snapshot(client, await self.mint())
        grant = form["grant_type"]
        if grant == EXCHANGE and EXCHANGE in client.grant_types:
            return await Exchange(self.log, self.tokens).answer(snapshot, form)
        if grant in ("authorization_code", "refresh_token") and grant in client.grant_types:
            return await self._for_person(snapshot, form)
        if grant == EXCHANGE:
            raise UnauthorizedClientError("The app may not exchange tokens.")
        return Server(snapshot).answer(form)

    def target(self, sent: Mapping[str, str]) -> None:
        """Raise OAuth2Error where tokens are wanted for another resource than this API (RFC 8707 §2)."""
        if sent.get("resource", self.issuer) != self.issuer:
            raise OAuth2Error("Tokens of this server are for its own API.", error="invalid_target")

    async def mint(self) -> Mint:
        """What makes tokens at this moment."""
        await self.own.ring.fresh()
        return Mint(self.issuer, self.own.ring.signer(), clock.now())

    async def _for_person(self, snapshot: Snapshot, form: Mapping[str, str]) -> dict[str, Any]:
        """Tokens for a code or a refresh token, which is used up; its second use is the end of its family."""
        client = snapshot.client
        text = form.get("code" if form["grant_type"] == "authorization_code" else "refresh_token", "")
        one, snapshot = await self._read(snapshot, form["grant_type"], self._digest(text))
        if one is not None and one.used_at is not None:
            await self._replayed(client, one)
        answer = Server(snapshot).answer(form)
        assert one is not None
        actor = Actor("user", str(one.user_id))
        async with self.log.unit(client.tenant_id, actor) as unit:
            first = await kept.use(unit.connection, one, unit.now)
            if first and isinstance(one, Code):
                await kept.add_family(unit.connection, client.tenant_id, one, unit.now)
            if first and "refresh_token" in answer:
                ends = one.family_ends if isinstance(one, Refresh) else unit.now + kept.LIFE
                until, digest = min(unit.now + kept.REST, ends), self._digest(answer["refresh_token"])
                await kept.add_refresh(unit.connection, client.tenant_id, one.family_id, digest, until)
        if not first:
            await self._replayed(client, one)
        return answer

    async def _read(self, snapshot: Snapshot, grant_type: str, digest: bytes) -> tuple[Code | Refresh | None, Snapshot]:
        """What the text stands for, and the snapshot with it where it is this client's and still good."""
        client, now = snapshot.client, snapshot.mint.now
        one: Code | Refresh | None
        async with session.of_tenant(self.log.app, client.tenant_id) as connection:
            if grant_type == "authorization_code":
                one = await kept.code(connection, digest)
            else:
                one = await kept.refresh(connection, digest)
            if one is None or one.app_id != client.id:
                return None, snapshot
            person = await sessions.person(connection, client.tenant_id, one.user_id)
        if one.expires_at <= now or (isinstance(one, Refresh) and (one.revoked or one.family_ends <= now)):
            return one, snapshot
        whose = person if person and person.active else None
        if isinstance(one, Code):
            return one, replace(snapshot, code=one, person=whose)
        return one, replace(snapshot, refresh=one, person=whose)

    async def _replayed(self, client: Client, one: Code | Refresh) -> None:
        """Somebody has a copy (RFC 9700 §4.5, §4.14): what came of it works no more. Raises InvalidGrantError."""
        logger.warning("oauth.reused", app=str(client.id), user=str(one.user_id), family=str(one.family_id))
        after = {"user_id": str(one.user_id), "what": type(one).__name__.lower()}
        async with self.log.unit(client.tenant_id, Actor("app", str(client.id))) as unit:
            await kept.revoke(unit.connection, one.family_id, unit.now)
            unit.note(Act("oauth-apps.reuse", "oauth_app", str(client.id), after=after, outcome="denied"))
        raise InvalidGrantError()

    def _digest(self, text: str) -> bytes:
        return crypto.digest(self.log.cipher.pepper, text)
