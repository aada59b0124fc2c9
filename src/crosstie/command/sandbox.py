"""`crosstie sandbox`: the webhook receiver in the foreground."""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from crosstie import supervise
from crosstie.command import feed, out
from crosstie.command.process import loaded
from crosstie.sandbox import post
from crosstie.sandbox.receiver import Got, Receiver

app = out.command()


@app.command("sandbox")
def sandbox(
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; else the one it had before.")] = None,
    listener: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Run a webhook receiver that checks signatures, shows what comes, and fails on demand.

    crosstie sandbox

    crosstie sandbox --port 9999
    """
    settings = loaded()
    console = Console(soft_wrap=True, highlight=False)
    if listener >= 0:
        supervise.follow_parent()
        kept, sock = post.kept(settings.home), socket.socket(fileno=listener)
    else:
        kept, sock = post.listening(settings.home, port)
        console.print(f"Receiving at {kept.url}, secret {kept.secret}")
        console.print(f"Page and faults: {kept.page}")

    def tell(got: Got) -> None:
        if listener < 0:
            colour = "green" if got.signature == "good" else "red"
            about = f"{got.webhook_id} signature {got.signature}, answered {got.answered}"
            console.print(feed.line("webhook", got.at, str(got.event_type), about, colour))

    asyncio.run(_serve(Receiver(kept.secret, tell), sock))


async def _serve(receiver: Receiver, sock: socket.socket) -> None:
    stop = supervise.stopping()
    config = uvicorn.Config(
        receiver.app(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
