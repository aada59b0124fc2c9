"""The sandbox as a whole: webhooks, services, and the way back to Crosstie, on one socket; and a mail server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from crosstie.sandbox.back import Back, Target
from crosstie.sandbox.books import Books
from crosstie.sandbox.cut import Cuttable
from crosstie.sandbox.door import Door
from crosstie.sandbox.mail import Mail
from crosstie.sandbox.panel import Panel
from crosstie.sandbox.receiver import Receiver

#: what the counterparts keep, in HOME
FILE = "sandbox.db"
#: says where events go, once it knows
Targeting: TypeAlias = Callable[[], Target | None]


async def serve(
    sock: socket.socket,
    receiver: Receiver,
    key: str,
    books: Path | str,
    target: Targeting,
    stop: asyncio.Event,
    mail_port: int = 0,
) -> None:
    """Until `stop`. `key` is what callers of the services show."""
    mail = Mail()
    async with await mail.listen(mail_port):
        await _serve(sock, [*receiver.routes(), *mail.routes()], key, books, target, stop)


async def _serve(
    sock: socket.socket, routes: list[BaseRoute], key: str, books: Path | str, target: Targeting, stop: asyncio.Event
) -> None:
    with closing(Books(books)) as kept:
        panel = Panel(kept, Door(key))
        app = Starlette(routes=[*routes, *panel.routes()])
        config = uvicorn.Config(
            app, http=Cuttable, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        tasks = [
            asyncio.create_task(server.serve(sockets=[sock])),
            asyncio.create_task(Back(kept, target).run()),
            asyncio.create_task(stop.wait()),
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        for task in done - {tasks[2]}:
            task.result()
