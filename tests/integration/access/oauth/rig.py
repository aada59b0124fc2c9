"""Apps for tests, made over the API as an admin makes them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.fence import until
from tests.integration.access.people import Browser
from tests.stage import Tenant, calling

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class App:
    """A registered app, and the client with which its admin made it."""

    admin: httpx2.AsyncClient
    id: str
    client_id: str
    client_secret: str
    uri: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.client_id, self.client_secret

    async def move(self, verb: str) -> None:
        answer = await self.admin.post(f"/api/v1/oauth-apps/{self.id}/{verb}")
        assert answer.status_code == 200, answer.text

    async def ask(self, path: str = "/oauth/token", **form: str) -> httpx2.Response:
        """What an endpoint answers the app."""
        async with calling(str(self.admin.base_url)) as caller:
            if self.client_secret:
                return await caller.post(path, data=form, auth=self.auth)
            return await caller.post(path, data={"client_id": self.client_id} | form)

    def question(self, **query: str) -> dict[str, str]:
        """The parameters of an authorization request; an empty value takes one away."""
        usual = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.uri,
            "scope": "openid email jobs:read",
            "state": "a state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | query).items() if value}

    async def code(self, browser: Browser, **query: str) -> str:
        """A code: the person of the browser allows what is asked."""
        asked = self.question(**query)
        answer = await browser.open("/oauth/authorize", **asked)
        if answer.status_code == 200:  # the person has not allowed all of this before
            answer = await browser.send("/oauth/authorize", {"decision": "allow"}, **asked)
        assert answer.status_code == 303, answer.text
        back = said(answer)
        assert "code" in back, back
        return back["code"]

    async def trade(self, code: str, **form: str) -> httpx2.Response:
        """The code for tokens."""
        usual = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.uri, "code_verifier": VERIFIER}
        return await self.ask(**{name: value for name, value in (usual | form).items() if value})

    async def tokens(self, browser: Browser, **query: str) -> dict[str, Any]:
        """The tokens that a person lets the app have."""
        answer = await self.trade(await self.code(browser, **query))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def token(self, **form: str) -> str:
        """An access token of the app itself."""
        answer = await self.ask(**({"grant_type": "client_credentials"} | form))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@dataclass
class World:
    """A firm with an app, and a person of it at a browser."""

    tenant: Tenant
    admin: httpx2.AsyncClient
    app: App
    browser: Browser
    email: str


def said(answer: httpx2.Response) -> dict[str, str]:
    """What an authorization response says."""
    pairs = parse_qsl(urlsplit(answer.headers["location"]).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


async def for_people(admin: httpx2.AsyncClient, **fields: Any) -> App:
    """An app that acts for people."""
    usual = {"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://app.example/back?x=1"]}
    return await register(admin, **usual | fields)


async def register(admin: httpx2.AsyncClient, *, approve: bool = True, **fields: Any) -> App:
    usual = {"name": "An app", "grant_types": ["client_credentials"], "scopes": ["jobs:read", "jobs:write"]}
    answer = await admin.post("/api/v1/oauth-apps", json=usual | fields)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    uris = made["redirect_uris"] or [""]
    app = App(admin, made["id"], made["client_id"], made["client_secret"], uris[0])
    if approve:
        await app.move("approve")
    return app


async def status(admin: httpx2.AsyncClient, token: str, path: str = "/api/v1/jobs") -> int:
    """What the API answers to a token."""
    async with calling(str(admin.base_url), headers={"authorization": f"Bearer {token}"}) as caller:
        return (await caller.get(path)).status_code


async def becomes(admin: httpx2.AsyncClient, token: str, wanted: int) -> None:
    """Return when the token gets this status."""

    async def has() -> bool:
        return await status(admin, token) == wanted

    await until(has)
