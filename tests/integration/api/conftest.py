"""A second server of the stage, with settings of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest

from crosstie.app import serve
from tests.stage import Stage, calling, free_port

Serving = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def serving(stage: Stage) -> Serving:
    """`async with serving(rate_limit=20) as url`: another API process on the stage's database."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[str]:
        port = free_port()
        settings = msgspec.structs.replace(stage.settings, port=port, public_url=f"http://127.0.0.1:{port}", **changes)
        stop = asyncio.Event()
        task = asyncio.create_task(serve(settings, stage.dsns, api=True, work=False, name="second", stop=stop))
        url = f"http://127.0.0.1:{port}"
        async with calling() as client:
            for _ in range(1200):
                try:
                    if (await client.get(f"{url}/livez")).status_code == 200:
                        break
                except httpx2.HTTPError:
                    await asyncio.sleep(0.05)
        try:
            yield url
        finally:
            stop.set()
            await task

    return run
