"""An app as the protocol sees it: a snapshot, read once per request, in the form that Authlib's grants ask for."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

import asyncpg
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, OAuth2Error, UnauthorizedClientError

from crosstie.access.oauth import address, scopes
from crosstie.kit import clock, crypto


@dataclass(frozen=True, slots=True)
class Client:
    """An app and its firm."""

    tenant_id: UUID
    id: UUID
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    scopes: frozenset[str]
    public: bool
    status: str
    secret: bytes | None
    old_secret: bytes | None
    old_until: datetime | None
    firm: str
    slug: str
    tenant_status: str

    # what Authlib asks

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        found = scopes.asked(scope, self.scopes, identity="authorization_code" in self.grant_types)
        return None if found is None else scopes.text(found)

    def check_redirect_uri(self, uri: str) -> bool:
        return any(address.matches(each, uri, native=self.public) for each in self.redirect_uris)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types

    # what we ask

    def proves(self, secret: str | None, pepper: bytes) -> bool:
        """Whether this is its secret, or the one before while that still works; a public app has none to give."""
        if self.public:
            return secret is None
        if secret is None:
            return False
        digest = crypto.digest(pepper, secret)
        old = self.old_secret if self.old_until and self.old_until > clock.now() else None
        right = crypto.same(digest, self.secret or b"")
        return crypto.same(digest, old or b"") or right


async def find(pool: asyncpg.Pool, client_id: str) -> Client | None:
    """The app of this name, in whatever tenant."""
    row = await pool.fetchrow("SELECT * FROM app_find($1)", client_id)
    if row is None:
        return None
    values = dict(row) | {
        "redirect_uris": tuple(row["redirect_uris"]),
        "grant_types": frozenset(row["grant_types"]),
        "scopes": frozenset(row["scopes"]),
    }
    return Client(**values)


def credentials(form: Mapping[str, str], authorization: str | None) -> tuple[str, str | None]:
    """Name and secret as a client sent them (RFC 6749 §2.3.1). Raises InvalidClientError, InvalidRequestError."""
    name, secret = form.get("client_id"), form.get("client_secret")
    if authorization is None:
        if not name:
            raise refused()
        return name, secret
    if secret is not None:
        raise InvalidRequestError("Authenticate in one way only.")
    kind, _, value = authorization.partition(" ")
    try:
        first, _, second = b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise refused() from None
    if kind.lower() != "basic":
        raise refused()
    basic = unquote_plus(first)
    if name is not None and name != basic:
        raise InvalidRequestError("client_id is not that of the Authorization header.")
    return basic, unquote_plus(second)


def refused() -> Any:
    """The one answer to a client that is unknown, or does not prove who it is."""
    return InvalidClientError("The client is not known, or did not prove who it is.", status_code=401)


def usable(client: Client) -> None:
    """Raise OAuth2Error unless the app may have tokens now."""
    if client.tenant_status != "active":
        raise _unusable("The app's firm is suspended.")
    if client.status == "pending":
        raise _unusable("The app awaits the approval of an admin.")
    if client.status != "approved":
        raise _unusable("The app is suspended.")


def _unusable(words: str) -> OAuth2Error:
    return UnauthorizedClientError(words, status_code=403)
