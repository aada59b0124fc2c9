"""Tokens as they leave: access tokens (RFC 9068) and ID tokens (OpenID Connect Core §2), signed and short-lived."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from joserfc import jws

from crosstie.access.oauth import scopes
from crosstie.access.oauth.ring import Signing
from crosstie.kit import ids

#: how long an access token is good for
TTL = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token is for: an app by itself, or a person by way of an app."""

    tenant_id: UUID
    client_id: str
    subject: str
    scopes: Iterable[str]
    roles: Iterable[str] = ()
    #: the family that takes the token with it when it is revoked
    family: UUID | None = None
    #: who acts for the subject (RFC 8693 §4.1)
    act: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes tokens of one issuer with one key at one moment."""

    issuer: str
    key: Signing
    now: datetime

    def access(self, bearer: Bearer, until: datetime | None = None) -> tuple[str, int]:
        """An access token for this installation's API, and for how many seconds it is good."""
        seconds = int((min(until, self.now + TTL) - self.now).total_seconds()) if until else int(TTL.total_seconds())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": bearer.subject,
            "client_id": bearer.client_id,
            "tenant_id": str(bearer.tenant_id),
            "scope": scopes.text(bearer.scopes),
            "roles": list(bearer.roles),
            "jti": str(ids.uuid7()),
        }
        if bearer.family:
            claims["family"] = str(bearer.family)
        if bearer.act:
            claims["act"] = bearer.act
        return self._signed("at+jwt", claims, seconds), seconds

    def identity(
        self, bearer: Bearer, access: str, known: Mapping[str, Any], authenticated_at: datetime, nonce: str | None
    ) -> str:
        """An ID token for the app. `known` are claims about the person, as far as the scopes allow."""
        half = sha256(access.encode()).digest()[:16]
        claims: dict[str, Any] = dict(known) | {
            "iss": self.issuer,
            "aud": bearer.client_id,
            "sub": bearer.subject,
            "tenant_id": str(bearer.tenant_id),
            "auth_time": int(authenticated_at.timestamp()),
            "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._signed("JWT", claims, int(TTL.total_seconds()))

    def _signed(self, kind: str, claims: dict[str, Any], seconds: int) -> str:
        issued = int(self.now.timestamp())
        whole = claims | {"iat": issued, "exp": issued + seconds}
        header = {"alg": self.key.algorithm, "kid": str(self.key.id), "typ": kind}
        return jws.serialize_compact(
            header, msgspec.json.encode(whole), self.key.private, algorithms=[self.key.algorithm]
        )
