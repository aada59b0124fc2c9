"""Authlib's grants, each run on one request's snapshot: what it refers to was read before, what it decides is written
afterwards. Nothing here waits, and nothing here is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidScopeError, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from crosstie.access.oauth.client import Client
from crosstie.access.oauth.mint import Bearer, Mint
from crosstie.access.oauth.scopes import IDENTITY


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a grant may look at."""

    client: Client
    mint: Mint


class Asked(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    """The parameters of a request, each sent once."""

    def __init__(self, form: Mapping[str, str]) -> None:
        # Authlib wants to see https; where TLS ends is the operator's, and settings refuse a plain public address
        super().__init__("POST", "https://localhost/oauth/token")
        self.payload = BasicOAuth2Payload(dict(form))

    @property
    def form(self) -> Mapping[str, str]:
        return self.payload.data  # type: ignore[no-any-return]


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """The token endpoint for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.register_grant(ClientCredentialsGrant)
        self.register_token_generator("client_credentials", self._for_app)

    def answer(self, form: Mapping[str, str]) -> dict[str, Any]:
        """What the grant that the form names gives. Raises OAuth2Error."""
        found: dict[str, Any] = self.create_token_response(Asked(form))
        return found

    def _for_app(self, client: Client, scope: str | None, **further: Any) -> dict[str, Any]:
        allowed = client.get_allowed_scope(scope)
        # an app is nobody: there is nothing to know about it
        granted = frozenset((allowed or "").split()) - IDENTITY.keys()
        if not granted:
            raise InvalidScopeError()
        return self._token(Bearer(client.tenant_id, client.client_id, client.client_id, granted))

    def _token(self, bearer: Bearer) -> dict[str, Any]:
        text, seconds = self.snapshot.mint.access(bearer)
        scope = " ".join(sorted(bearer.scopes))
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
