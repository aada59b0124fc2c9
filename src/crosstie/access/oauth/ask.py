"""The authorization endpoint without its page: what an app asks a person for, and what he answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error

from crosstie.access.oauth import client as clients
from crosstie.access.oauth import kept, scopes
from crosstie.access.oauth.client import Client, usable
from crosstie.access.oauth.flow import Flows
from crosstie.access.oauth.kept import Allowed
from crosstie.access.oauth.server import Server, Snapshot
from crosstie.access.session import SignedIn
from crosstie.db import session
from crosstie.kit import clock, crypto, ids
from crosstie.log.trail import Act

#: parameters of extensions that are not spoken here (OpenID Connect Core §6, §3.1.2.6)
UNSPOKEN = {"request": "request_not_supported", "request_uri": "request_uri_not_supported",
            "registration": "registration_not_supported"}  # fmt: skip


class Misdirected(Exception):
    """Nobody may be sent anywhere: app or address are not known, or not to be used. Its argument names the reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """An authorization request that is in order."""

    client: Client
    sent: Mapping[str, str]
    scopes: frozenset[str]

    @property
    def redirect_uri(self) -> str:
        """Where the answer goes."""
        return self.sent["redirect_uri"]

    @property
    def prompts(self) -> frozenset[str]:
        """What the app wants the person to be asked, whatever was asked before."""
        return frozenset(self.sent.get("prompt", "").split())

    def stale(self, found: SignedIn) -> bool:
        """Whether the person must prove again who he is."""
        age = self.sent.get("max_age")
        return age is not None and (clock.now() - found.authenticated_at).total_seconds() > int(age)


class Asks:
    """Puts the questions of one process."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows
        self._log = flows.log

    async def client(self, sent: Mapping[str, str]) -> Client:
        """The app that asks, its address being one that it registered. Raises Misdirected."""
        client = await clients.find(self._log.app, sent.get("client_id", ""))
        if client is None:
            raise Misdirected("app")
        if not client.check_redirect_uri(sent.get("redirect_uri", "")):
            raise Misdirected("address")
        try:
            usable(client)  # an app that nobody approved is no reason to send anybody anywhere
        except OAuth2Error:
            raise Misdirected(client.status if client.tenant_status == "active" else "suspended") from None
        return client

    async def question(self, client: Client, sent: Mapping[str, str]) -> Question:
        """What is asked. Raises OAuth2Error."""
        for name, error in UNSPOKEN.items():
            if name in sent:
                raise OAuth2Error(f"{name} is not supported.", error=error)
        if sent.get("response_mode", "query") != "query":
            raise InvalidRequestError("The only response_mode is query.")
        if not sent.get("max_age", "0").isdecimal() or len(sent.get("max_age", "")) > 9:
            raise InvalidRequestError("max_age is a number of seconds.")
        self._flows.target(sent)
        wanted = Server(Snapshot(client, await self._flows.mint())).wanted(sent)
        question = Question(client, sent, wanted)
        if "none" in question.prompts and len(question.prompts) > 1:
            raise InvalidRequestError("prompt=none stands alone.")
        return question

    def possible(self, question: Question, found: SignedIn) -> frozenset[str]:
        """What this person can allow. Raises OAuth2Error where that is nothing."""
        possible = scopes.narrowed(question.scopes, found.scopes)
        if not possible or not (possible - {"offline_access"}):
            raise AccessDeniedError("The person may do none of this.")
        return possible

    async def answered(self, question: Question, found: SignedIn) -> bool:
        """Whether the person has allowed all of this before, and the app is one that proves who it is."""
        if question.client.public or "consent" in question.prompts:
            return False
        async with session.of_tenant(self._log.app, question.client.tenant_id) as connection:
            before = await kept.consented(connection, question.client.id, found.user_id)
        return self.possible(question, found) <= before

    async def allow(self, question: Question, found: SignedIn) -> str:
        """A code for what the person allows: where to send him with it."""
        client, sent = question.client, question.sent
        granted = self.possible(question, found)
        given = Allowed(
            client.id, found.user_id, ids.uuid7(), tuple(sorted(granted)), found.methods, found.authenticated_at,
            None if "offline_access" in granted else found.id,
        )  # fmt: skip
        code = ids.random62(43)
        further = (question.redirect_uri, sent["code_challenge"], sent.get("nonce"))
        async with self._log.unit(client.tenant_id, found.person.actor) as unit:
            digest = crypto.digest(self._log.cipher.pepper, code)
            await kept.consent(unit.connection, client.tenant_id, given, unit.now)
            await kept.add_code(unit.connection, client.tenant_id, given, digest, further, unit.now)
            unit.note(Act("oauth-apps.allow", "oauth_app", str(client.id), after={"scopes": list(given.scopes)}))
        return self.back(sent, {"code": code})

    def refused(self, sent: Mapping[str, str], error: OAuth2Error) -> str:
        """Where to send a person with an error (RFC 6749 §4.1.2.1)."""
        words = error.get_error_description() or ""
        plain = "".join(char for char in words if " " <= char <= "~" and char not in '"\\')
        return self.back(sent, {"error": error.error, "error_description": plain})

    def back(self, sent: Mapping[str, str], values: Mapping[str, Any]) -> str:
        """The app's address with an answer, the app's own state, and who answers (RFC 9207)."""
        state = {"state": sent["state"]} if "state" in sent else {}
        query = urlencode(
            {name: value for name, value in values.items() if value} | state | {"iss": self._flows.issuer}
        )
        uri = sent["redirect_uri"]
        return f"{uri}{'&' if '?' in uri else '?'}{query}"
