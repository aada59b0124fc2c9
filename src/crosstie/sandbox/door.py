"""Who may call a counterpart: one secret, shown as an API key, a bearer token, a password, or for an OAuth2 token."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

CLIENT = "crosstie"
#: seconds that a token counts
LASTS = 300
SCHEMES = 'Bearer realm="sandbox", Basic realm="sandbox"'


class Door:
    """Lets calls in that hold the secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._tokens: dict[str, float] = {}

    def admits(self, request: Request) -> bool:
        """Whether a call shows a credential that counts."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            return self._is(value) or self._tokens.get(value, 0.0) > time.monotonic()
        if scheme == "basic":
            return _pair(value) is not None and self._is((_pair(value) or ("", ""))[1])
        return self._is(request.headers.get("x-api-key", ""))

    async def token(self, request: Request) -> Response:
        """A token for client credentials (RFC 6749 §4.4); the client shows itself by Basic or in the form."""
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        pair = _pair(value) if scheme.lower() == "basic" else (form.get("client_id"), form.get("client_secret"))
        if pair is None or pair[0] != CLIENT or not self._is(str(pair[1])):
            return JSONResponse({"error": "invalid_client"}, 401, {"www-authenticate": SCHEMES})
        now = time.monotonic()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._tokens[token] = now + LASTS
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": LASTS}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def _is(self, value: str) -> bool:
        return hmac.compare_digest(value.encode(), self._secret.encode())


def _pair(value: str) -> tuple[str, str] | None:
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
