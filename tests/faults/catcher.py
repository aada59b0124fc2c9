"""The receiver of a crash run, a process of its own: verifies with another library, notes, then answers.

python -m tests.faults.catcher SCRIPT    SCRIPT is JSON: {"port", "ledger", "secrets": {path: secret}, "failing": 0.01}
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.faults.ledger import Ledger


def meaning(data: Any) -> str:
    """The hash of what data say, whatever the order of their keys and the spaces between."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def heard(body: bytes) -> dict[str, Any]:
    """What a body says of itself, in the sender's words: events carry `ledger`, jobs their token as title."""
    envelope = json.loads(body)
    data = envelope["data"]
    if "ledger" in data:
        marks = data["ledger"]
        return {"id": envelope["event_id"], "key": marks["key"], "seq": marks["seq"], "hash": meaning(data)}
    return {"id": data.get("title", ""), "key": None, "seq": 0, "hash": meaning(data.get("description"))}


class Catcher:
    """One endpoint per path, each with its secret."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._ledger = Ledger(Path(script["ledger"]))
        self._secrets = {path: Webhook(secret) for path, secret in script["secrets"].items()}
        self._failing = script["failing"]
        self._dice = random.Random(script.get("seed", 1))

    async def handle(self, request: web.Request) -> web.Response:
        start = time.time()
        body = await request.read()
        if request.path == "/alive":
            return web.Response()
        try:
            self._secrets[request.path].verify(body.decode(), {k.lower(): v for k, v in request.headers.items()})
            signed = True
        except (WebhookVerificationError, KeyError):
            signed = False
        status = 503 if self._dice.random() < self._failing else 204
        entry = {
            **heard(body),
            "start": start,
            "end": time.time(),
            "path": request.path,
            "wire": request.headers.get("webhook-id", ""),
            "body": sha256(body).hexdigest(),
            "signed": signed,
            "status": status,
        }
        await self._ledger.note(entry)
        return web.Response(status=status)


async def main(script: dict[str, Any]) -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=4 << 20)
    app.router.add_route("*", "/{tail:.*}", Catcher(script).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", script["port"], backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
