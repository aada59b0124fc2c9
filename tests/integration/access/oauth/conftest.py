"""A firm, an app, a person at a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.access.oauth.rig import World, for_people
from tests.integration.access.people import Browser, firm, join
from tests.stage import Stage


@pytest.fixture
async def world(stage: Stage) -> AsyncIterator[World]:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician", name="Sipho Dlamini")
    async with tenant.client() as admin, Browser(stage) as browser:
        app = await for_people(admin, scopes=["jobs:read", "jobs:write", "clients:write"])
        assert (await browser.log_in(email)).status_code == 303
        yield World(tenant, admin, app, browser, email)
