"""A real identity service of other people's making: its tokens, its keys, its rotation."""

from __future__ import annotations

import httpx2

from tests.integration.access.test_issuers import ask, becomes, status
from tests.parts.provider import providing
from tests.stage import Tenant


async def test_people_and_programs_of_a_foreign_provider(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    async with providing() as provider:
        for audience, more in (
            ("console", {"roles": {"boss": "owner"}}),
            ("crosstie", {"claims": {"scopes": "scope", "roles": None}, "scopes": ["jobs:read", "clients:read"]}),
        ):
            body = {"issuer": provider.address, "audience": audience, **more}
            answer = await client.post("/api/v1/trusted-issuers", json=body)
            assert answer.status_code == 201, answer.text

        thandi, sipho = await provider.person("thandi"), await provider.person("sipho")
        assert await status(tenant, thandi) == 200
        assert await status(tenant, thandi, "/api/v1/payments") == 403, "a technician"
        assert await status(tenant, sipho, "/api/v1/payments") == 200, "the boss there is the owner here"
        users = (await client.get("/api/v1/users?sort=email")).json()["data"]
        assert [(user["email"], user["name"], user["role"], user["subject"]) for user in users] == [
            ("sipho@issuer.example", "Sipho Nkosi", "owner", "sipho"),
            ("thandi@issuer.example", "Thandi Dlamini", "technician", "thandi"),
        ]
        robot = await provider.program("jobs:read")
        assert await status(tenant, robot) == 200
        assert await status(tenant, robot, "/api/v1/clients") == 403
        assert (await ask(tenant, robot[:-2])).status_code == 401

        await provider.rotate()
        fresh = await provider.program("jobs:read clients:read")
        assert await status(tenant, fresh, "/api/v1/clients") == 200, "new keys need no restart"
        await becomes(tenant, robot, 401)  # its key is in the set no more
