"""A look at what an address answers, for those who ask at every one: a stream that never ends is left again."""

from __future__ import annotations

from typing import Any

import httpx2


async def glance(client: httpx2.AsyncClient, method: str, path: str, **given: Any) -> httpx2.Response:
    """The answer; of a stream its head and what comes first."""
    async with client.stream(method, path, **given) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
            return answer
        first = await anext(answer.aiter_bytes(), b"")
        return httpx2.Response(answer.status_code, headers=answer.headers, content=first, request=answer.request)
