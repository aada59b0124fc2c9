"""oidc-provider, a certified OpenID provider by other people, as somebody else's identity service; and a browser's part
in signing in there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tests.stage import free_port

FOLDER = Path(__file__).parents[1] / "judges"
CALLBACK = "http://127.0.0.1/callback"


class Provider:
    """The process. `person` and `program` get tokens from it by the book."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self.address = address

    async def rotate(self) -> None:
        """From now on it signs with new keys, and shows no others."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"rotate\n")
        await self.said("rotate")

    async def said(self, word: str) -> None:
        """Return when the process says so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while line := await self._process.stdout.readline():
                if line.decode().strip() == word:
                    return
        raise RuntimeError("the provider ended")

    async def program(self, scope: str) -> str:
        """An access token (RFC 9068) of the client credentials grant."""
        asked = {"grant_type": "client_credentials", "resource": "https://crosstie.example", "scope": scope}
        async with httpx2.AsyncClient(base_url=self.address) as client:
            answer = await client.post("/token", data=asked, auth=("robot", "robot-secret"))
        return str(answer.json()["access_token"])

    async def person(self, login: str) -> str:
        """An ID token of somebody who signs in and consents, by code and PKCE."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": "console",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email profile",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        async with httpx2.AsyncClient(base_url=self.address) as browser:
            answer = await browser.get("/auth", params=asked)
            while not (place := answer.headers.get("location", "")).startswith(CALLBACK):
                answer = await (browser.get(place) if place else self._fill(browser, answer.text, login))
            code = re.search(r"code=([^&]+)", place)
            assert code is not None
            granted = {
                "grant_type": "authorization_code",
                "code": code[1],
                "redirect_uri": CALLBACK,
                "code_verifier": verifier,
            }
            answer = await browser.post("/token", data=granted, auth=("console", "console-secret"))
            return str(answer.json()["id_token"])

    async def _fill(self, browser: httpx2.AsyncClient, page: str, login: str) -> httpx2.Response:
        form = dict(re.findall(r'name="(\w+)" value="(\w*)"', page))
        action = re.search(r'action="([^"]+)"', page)
        assert action is not None, page
        return await browser.post(action[1], data=form | {"login": login, "password": "any"})


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """A provider that is ready."""
    port = free_port()
    pipe = asyncio.subprocess.PIPE
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))  # Node may come from PyPI
    environment = os.environ | {"PORT": str(port), "PATH": path}
    process = await asyncio.create_subprocess_exec(
        shutil.which("node", path=path) or "node",
        "provider.mjs",
        cwd=FOLDER,
        env=environment,
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
    )
    provider = Provider(process, f"http://127.0.0.1:{port}")
    try:
        await provider.said("ready")
        yield provider
    finally:
        process.kill()
        await process.wait()
