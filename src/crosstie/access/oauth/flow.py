"""The token endpoint: read what a request refers to, run the grant on it, write its outcome in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error, UnauthorizedClientError

from crosstie.access.oauth import client as clients
from crosstie.access.oauth.client import Client
from crosstie.access.oauth.mint import Mint
from crosstie.access.oauth.ring import Ring
from crosstie.access.oauth.server import Server, Snapshot
from crosstie.kit import clock
from crosstie.log.unit import Log


class Flows:
    """What the endpoints of one process share."""

    def __init__(self, log: Log, ring: Ring) -> None:
        self.log = log
        self.ring = ring

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
        return Server(Snapshot(client, await self.mint())).answer(form)

    def target(self, sent: Mapping[str, str]) -> None:
        """Raise OAuth2Error where tokens are wanted for another resource than this API (RFC 8707 §2)."""
        if sent.get("resource", self.issuer) != self.issuer:
            raise OAuth2Error("Tokens of this server are for its own API.", error="invalid_target")

    async def mint(self) -> Mint:
        """What makes tokens at this moment."""
        await self.ring.fresh()
        return Mint(self.issuer, self.ring.signer(), clock.now())


def usable(client: Client) -> None:
    """Raise OAuth2Error unless the app may have tokens now."""
    if client.tenant_status != "active":
        raise _refused("The app's firm is suspended.")
    if client.status == "pending":
        raise _refused("The app awaits the approval of an admin.")
    if client.status != "approved":
        raise _refused("The app is suspended.")


def _refused(words: str) -> OAuth2Error:
    return UnauthorizedClientError(words, status_code=403)
