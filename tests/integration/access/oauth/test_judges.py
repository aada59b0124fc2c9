"""Clients of other people's making, over real HTTP: openid-client (certified) and Authlib's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx2
from authlib.integrations.requests_client import OAuth2Session

from tests.integration.access.oauth.rig import World, for_people, register, status
from tests.stage import Stage

FOLDER = Path(__file__).parents[3] / "judges"


async def test_openid_client(world: World, stage: Stage) -> None:
    """Discovery, code with PKCE, ID token, userinfo, refresh, introspection, revocation, client credentials."""
    uri = "https://app.example/back"
    app = await for_people(world.admin, redirect_uris=[uri], scopes=["jobs:read"])
    robot = await register(world.admin)
    given = {
        "issuer": stage.url,
        "person": {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": uri},
        "robot": {"client_id": robot.client_id, "client_secret": robot.client_secret},
    }
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))  # Node may come from PyPI
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        shutil.which("node", path=path) or "node", "client.mjs", json.dumps(given),
        cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=pipe,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    question = httpx2.URL((await process.stdout.readline()).decode().strip())
    answer = await world.browser.send(question.path, {"decision": "allow"}, **dict(question.params))
    process.stdin.write(f"{answer.headers['location']}\n".encode())
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    found: dict[str, Any] = json.loads(printed)
    assert found["claims"]["email"] == found["info"]["email"] == world.email
    assert found["info"]["name"] == "Sipho Dlamini"
    assert found["fresh"]["scope"] == "jobs:read openid"
    assert (found["looked"]["active"], found["looked"]["sub"]) == (True, found["claims"]["sub"])
    assert found["revoked"] == {"active": False}
    assert found["reused"] == "invalid_grant"
    assert await status(world.admin, found["alone"]["access_token"]) == 200


async def test_authlib(world: World, stage: Stage) -> None:
    """Code with PKCE, refresh, revocation, introspection, with its own verifier and state."""
    app = await for_people(world.admin, redirect_uris=["https://app.example/back"], scopes=["jobs:read"])
    session = OAuth2Session(
        app.client_id, app.client_secret, scope="openid jobs:read", redirect_uri=app.uri, code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_post",
    )  # fmt: skip
    verifier = "judge" * 12
    url, state = session.create_authorization_url(f"{stage.url}/oauth/authorize", code_verifier=verifier)
    question = httpx2.URL(url)
    answer = await world.browser.send(question.path, {"decision": "allow"}, **dict(question.params))
    back = answer.headers["location"]
    tokens = await asyncio.to_thread(
        session.fetch_token,
        f"{stage.url}/oauth/token",
        authorization_response=back,
        state=state,
        code_verifier=verifier,
    )
    assert await status(world.admin, tokens["access_token"]) == 200
    fresh = await asyncio.to_thread(session.refresh_token, f"{stage.url}/oauth/token")
    assert fresh["refresh_token"] != tokens["refresh_token"]
    looked = await asyncio.to_thread(session.introspect_token, f"{stage.url}/oauth/introspect", fresh["access_token"])
    assert looked.json()["active"] is True
    gone = await asyncio.to_thread(session.revoke_token, f"{stage.url}/oauth/revoke", fresh["refresh_token"])
    assert gone.status_code == 200
    looked = await asyncio.to_thread(session.introspect_token, f"{stage.url}/oauth/introspect", fresh["access_token"])
    assert looked.json() == {"active": False}
