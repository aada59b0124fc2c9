"""How Crosstie shows a remote service who it is: a fixed header, or a token that it fetches for client credentials."""

from __future__ import annotations

import asyncio
import base64
import time
from urllib.parse import urlencode

from crosstie.kit import json
from crosstie.kit.http import Client, Failed, basic
from crosstie.services.peer import Peer

#: seconds before its end at which a token is no longer used, how long one without an end counts, tokens that are kept
EARLY, USUAL, MOST = 30.0, 300.0, 10_000
FORM = "application/x-www-form-urlencoded"


class Credentials:
    """Headers for peers; tokens are kept until they end. One per process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens: dict[str, tuple[float, asyncio.Task[str]]] = {}

    async def headers(self, peer: Peer, seconds: float) -> dict[str, str]:
        """The header of a peer's credential. Raises Failed where a token cannot be had in time."""
        kind = peer.auth["type"]
        if kind == "bearer":
            return {"authorization": f"Bearer {peer.secret}"}
        if kind == "api_key":
            return {(peer.auth.get("header") or "X-API-Key").lower(): peer.secret}
        if kind == "basic":
            return {"authorization": basic(peer.auth["username"], peer.secret)}
        if kind == "oauth2":
            return {"authorization": f"Bearer {await self._token(peer, seconds)}"}
        return {}

    def refused(self, peer: Peer) -> bool:
        """Forget a token that the service does not take; answers whether there was one."""
        return self._tokens.pop(peer.name, None) is not None

    async def _token(self, peer: Peer, seconds: float) -> str:
        until, task = self._tokens.get(peer.name, (0.0, None))
        if task is None or until <= time.monotonic():
            if len(self._tokens) >= MOST:
                self._tokens.clear()
            task = asyncio.create_task(self._fetch(peer, seconds))
            task.add_done_callback(_seen)
            self._tokens[peer.name] = time.monotonic() + seconds, task
        try:
            return await asyncio.shield(task)
        except Failed:
            self._tokens.pop(peer.name, None)
            raise

    async def _fetch(self, peer: Peer, seconds: float) -> str:
        """A token for client credentials (RFC 6749 §4.4); what fails here was never sent to the service itself."""
        form = {"grant_type": "client_credentials"}
        if peer.auth.get("scope"):
            form["scope"] = peer.auth["scope"]
        pair = base64.b64encode(f"{peer.auth['client_id']}:{peer.secret}".encode()).decode()
        headers = {"authorization": f"Basic {pair}", "content-type": FORM}
        try:
            answer = await self._client.send("POST", peer.auth["token_url"], headers, urlencode(form).encode(), seconds)
        except Failed as error:
            raise Failed("token", f"no token: {error}", sent=False) from error
        if answer.status != 200:
            raise Failed("token", f"no token: the answer was {answer.status}", sent=False)
        try:
            found = json.loads(answer.body)
            token, ends = str(found["access_token"]), float(found.get("expires_in") or USUAL)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Failed("token", "no token: the answer is none of RFC 6749", sent=False) from None
        if peer.name in self._tokens:
            self._tokens[peer.name] = time.monotonic() + max(1.0, ends - EARLY), self._tokens[peer.name][1]
        return token


def _seen(task: asyncio.Task[str]) -> None:
    """Whoever asked for it may have gone: then nobody else looks at what went wrong."""
    if not task.cancelled():
        task.exception()
