"""Authlib's grants, each run on one request's snapshot: what it refers to was read before, what it decides is written
afterwards. Nothing here waits, and nothing here is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from crosstie.access.oauth import scopes
from crosstie.access.oauth.client import Client
from crosstie.access.oauth.kept import Code, Refresh
from crosstie.access.oauth.mint import Bearer, Mint
from crosstie.access.oauth.scopes import IDENTITY
from crosstie.access.session import Person
from crosstie.kit import ids

#: how refresh tokens begin
PREFIX = "ctr"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a grant may look at."""

    client: Client
    mint: Mint
    person: Person | None = None
    code: Code | None = None
    refresh: Refresh | None = None


class Asked(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    """The parameters of a request, each sent once."""

    def __init__(self, sent: Mapping[str, str], method: str) -> None:
        # Authlib wants to see https; where TLS ends is the operator's, and settings refuse a plain public address
        super().__init__(method, "https://localhost/oauth")
        self.payload = BasicOAuth2Payload(dict(sent))

    @property
    def form(self) -> Mapping[str, str]:
        return self.payload.data  # type: ignore[no-any-return]


class Proof(CodeChallenge):  # type: ignore[misc]  # Authlib is untyped
    """PKCE (RFC 7636) for every app, in the one form that does not give the secret away."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        sent = grant.request.payload.data
        if not sent.get("code_challenge") or sent.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is needed: send code_challenge and code_challenge_method=S256.")
        super().validate_code_challenge(grant, redirect_uri)


class ByCode(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
    """The code that was read, if it is this client's and still good."""

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return self.server.snapshot.code  # type: ignore[no-any-return]

    def authenticate_user(self, authorization_code: Code) -> Person | None:
        return self.server.snapshot.person  # type: ignore[no-any-return]

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """The flow uses it up, in the transaction that keeps what it gave."""


class ByRefresh(RefreshTokenGrant):  # type: ignore[misc]  # Authlib is untyped
    """The refresh token that was read, if it is this client's and still good; each use gives the next one."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
        return self.server.snapshot.refresh  # type: ignore[no-any-return]

    def authenticate_user(self, refresh_token: Refresh) -> Person:
        person: Person | None = self.server.snapshot.person
        if person is None:
            raise InvalidGrantError("The person may act no more.")
        return person

    def revoke_old_credential(self, refresh_token: Refresh) -> None:
        """As above."""


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """The token endpoint, and the question before it, for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(ByCode, [Proof(required=True)])
        self.register_grant(ByRefresh)
        self.register_token_generator("client_credentials", self._for_app)
        self.register_token_generator("default", self._for_person)

    def answer(self, form: Mapping[str, str]) -> dict[str, Any]:
        """What the grant that the form names gives. Raises OAuth2Error."""
        found: dict[str, Any] = self.create_token_response(Asked(form, "POST"))
        return found

    def wanted(self, sent: Mapping[str, str]) -> frozenset[str]:
        """The scopes that an authorization request asks for, the request being in order. Raises OAuth2Error."""
        request = Asked(sent, "GET")
        self.get_consent_grant(request)
        return frozenset(request.scope.split())

    def _for_app(self, client: Client, scope: str | None, **further: Any) -> dict[str, Any]:
        allowed = client.get_allowed_scope(scope)
        # an app is nobody: there is nothing to know about it
        granted = frozenset((allowed or "").split()) - IDENTITY.keys()
        if not granted:
            raise InvalidScopeError()
        return self.issue(Bearer(client.tenant_id, client.client_id, client.client_id, granted))

    def _for_person(
        self, client: Client, user: Person, scope: str, include_refresh_token: bool, **further: Any
    ) -> dict[str, Any]:
        given = self.snapshot.code or self.snapshot.refresh
        assert given is not None
        granted = scopes.narrowed(scopes.narrowed(scope.split(), client.scopes), user.scopes)
        if not granted:
            raise InvalidGrantError("The person may do none of this any more.")
        bearer = Bearer(client.tenant_id, client.client_id, str(user.user_id), granted, user.roles, given.family_id)
        found = self.issue(bearer)
        if "openid" in granted:
            known = claims(user, granted) | {"amr": list(given.methods)}
            nonce = self.snapshot.code.nonce if self.snapshot.code else None
            found["id_token"] = self.snapshot.mint.identity(
                bearer, found["access_token"], known, given.authenticated_at, nonce
            )
        if include_refresh_token:
            found["refresh_token"] = ids.token(PREFIX)
        return found

    def issue(self, bearer: Bearer) -> dict[str, Any]:
        """An access token with what is said about it."""
        text, seconds = self.snapshot.mint.access(bearer)
        scope = scopes.text(bearer.scopes)
        return {"access_token": text, "token_type": "Bearer", "expires_in": seconds, "scope": scope}

    # what Authlib asks

    def authenticate_client(self, request: OAuth2Request, methods: Any, endpoint: str = "token") -> Client:
        """The client proved who it is before the snapshot was taken."""
        request.auth_method = "none" if self.snapshot.client.public else "client_secret_basic"
        return self.snapshot.client

    def query_client(self, client_id: str) -> Client:
        return self.snapshot.client

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def save_token(self, token: Any, request: OAuth2Request) -> None:
        """The flow writes it, with what it consumes."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        return body

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Any:
        raise error


def claims(person: Person, granted: frozenset[str]) -> dict[str, Any]:
    """What an app may know about a person (OpenID Connect Core §5.4)."""
    found: dict[str, Any] = {"roles": list(person.roles)}
    if "profile" in granted:
        found |= {"name": person.name, "locale": person.locale} if person.name else {"locale": person.locale}
    if "email" in granted:
        found["email"] = person.email
    return found
