"""The check of a credential: µs of one request's share, by kind, against what it takes to verify the signature alone.

    .venv/bin/python bench/credential.py [--quick]

In one process, one token after the other. Warm: the same token again, as an app sends it. Cold: another one every time.
A token in use is asked after every three seconds, so the rate of its requests sets the share of each.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import child
import stand
from stand import EVERYTHING, Figure, Stand

from crosstie.access import jwt
from crosstie.access.oauth.app import OAUTH_APPS
from crosstie.access.oauth.flow import Flows
from crosstie.access.oauth.mint import Bearer
from crosstie.access.oauth.own import Own
from crosstie.access.oauth.ring import Ring
from crosstie.access.token import Tokens
from crosstie.app import opened
from crosstie.log import change

COLD = 200 if stand.QUICK else 1000
#: requests of one app in a second
BUSY = 1000


async def cost(work: Callable[[], Awaitable[object]], seconds: float) -> float:
    """µs of one call, over so many seconds."""
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(100):
            await work()
        count += 100
    return (time.perf_counter() - began) / count * 1e6


async def measure(here: Stand) -> list[Figure]:
    tenant = await here.tenant()
    async with opened(child.settings(here.home, here.port), here.dsns, work=False, name="bench") as process:
        log = process.log
        own = Own(log, Ring(log.app, process.vault))
        tokens = Tokens(log.app, process.vault, log.address, own)
        flows = Flows(log, own, tokens)
        async with log.unit(tenant.id, EVERYTHING) as unit:
            values = OAUTH_APPS.creation.decode(
                {"name": "bench", "scopes": ["jobs:read"], "grant_types": ["client_credentials"]}
            )
            app = (await change.create(unit, OAUTH_APPS, values)).__dict__
            await unit.flush()
            await unit.connection.execute("UPDATE oauth_apps SET status = 'approved' WHERE id = $1", app["id"])
        mint = await flows.mint()
        bearer = Bearer(tenant.id, app["client_id"], app["client_id"], ("jobs:read",))
        made = [mint.access(bearer)[0] for _ in range(COLD)]

        async def verify() -> None:
            await own.claims(jwt.parse(made[0]))

        bare = await cost(verify, stand.seconds(2))
        warm = await cost(lambda: tokens.grant(made[0], "127.0.0.1"), stand.seconds(12))
        key = await cost(lambda: tokens.grant(tenant.key, "127.0.0.1"), stand.seconds(12))
        began = time.perf_counter()
        for each in made:
            await tokens.grant(each, "127.0.0.1")
        cold = (time.perf_counter() - began) / COLD * 1e6
    share = warm + cold / (BUSY * 3)
    return [
        Figure("check of a token, warm", warm, 100, 100, "µs", f"{warm / bare:.2f} of its signature ({bare:.0f} µs)"),
        Figure("check of a token, share", share, 100, 100, "µs", f"at {BUSY} requests/s with it: {share / bare:.2f}"),
        Figure("check of a key, warm", key, 100, 100, "µs", f"{key / bare:.2f} of a token's signature"),
        Figure("check of a token, cold", cold, 10_000, 5000, "µs", f"{cold / bare:.1f} signatures, with the tables"),
    ]


if __name__ == "__main__":
    stand.main(measure)
