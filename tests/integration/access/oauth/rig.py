"""Apps for tests, made over the API as an admin makes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass
class App:
    """A registered app, and the client with which its admin made it."""

    admin: httpx2.AsyncClient
    id: str
    client_id: str
    client_secret: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.client_id, self.client_secret

    async def move(self, verb: str) -> None:
        answer = await self.admin.post(f"/api/v1/oauth-apps/{self.id}/{verb}")
        assert answer.status_code == 200, answer.text

    async def ask(self, **form: str) -> httpx2.Response:
        """What the token endpoint answers."""
        async with httpx2.AsyncClient(base_url=self.admin.base_url) as caller:
            return await caller.post("/oauth/token", data=form, auth=self.auth)

    async def token(self, **form: str) -> str:
        """An access token of the app itself."""
        answer = await self.ask(**({"grant_type": "client_credentials"} | form))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


async def register(admin: httpx2.AsyncClient, *, approve: bool = True, **fields: Any) -> App:
    usual = {"name": "An app", "grant_types": ["client_credentials"], "scopes": ["jobs:read", "jobs:write"]}
    answer = await admin.post("/api/v1/oauth-apps", json=usual | fields)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    app = App(admin, made["id"], made["client_id"], made["client_secret"])
    if approve:
        await app.move("approve")
    return app


async def status(admin: httpx2.AsyncClient, token: str, path: str = "/api/v1/jobs") -> int:
    """What the API answers to a token."""
    async with httpx2.AsyncClient(base_url=admin.base_url, headers={"authorization": f"Bearer {token}"}) as caller:
        return (await caller.get(path)).status_code


async def becomes(admin: httpx2.AsyncClient, token: str, wanted: int, seconds: float = 5) -> None:
    """Return when the token gets this status; CONTRACT §3 gives a revocation 5 s."""
    for _ in range(int(seconds * 5)):
        if await status(admin, token) == wanted:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"still {await status(admin, token)} after {seconds} s")
