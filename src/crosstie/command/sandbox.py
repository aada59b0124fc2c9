"""`crosstie sandbox`: the webhook receiver and the counterparts of the services in the foreground."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crosstie import supervise
from crosstie.command import feed, kept, out
from crosstie.command.failing import Failure
from crosstie.command.process import loaded
from crosstie.sandbox import post, server
from crosstie.sandbox.back import Target
from crosstie.sandbox.post import Post
from crosstie.sandbox.receiver import Got, Receiver

app = out.command()


@app.command("sandbox")
def sandbox(
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; else the one it had before.")] = None,
    events_to: Annotated[
        str | None, typer.Option(help="Where services send their events: a Crosstie, an inbound source, or a broker.")
    ] = None,
    events_key: Annotated[
        str | None, typer.Option(help="With that: an API key, the whsec_ secret of the source, or the tenant's id.")
    ] = None,
    listener: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Run stand-ins for outside parties: a webhook receiver, a mail server, a counterpart for every service.

    Services send their events to the demo tenant, where there is one, unless it is said where else.

    crosstie sandbox

    crosstie sandbox --port 9999

    crosstie sandbox --events-to https://crosstie.example --events-key ct_test_…

    crosstie sandbox --events-to nats://127.0.0.1:4222 --events-key 01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e
    """
    if (events_to is None) != (events_key is None):
        raise Failure("--events-to and --events-key go together.")
    settings = loaded()
    console = Console(soft_wrap=True, highlight=False)
    if listener >= 0:
        supervise.follow_parent()
        found, sock = post.kept(settings.home), socket.socket(fileno=listener)
    else:
        found, sock = post.listening(settings.home, port)
        _describe(console, found)

    def tell(got: Got) -> None:
        if listener < 0:
            colour = "green" if got.signature == "good" else "red"
            about = f"{got.webhook_id} signature {got.signature}, answered {got.answered}"
            console.print(feed.line("webhook", got.at, str(got.event_type), about, colour))

    def target() -> Target | None:
        return Target(events_to, events_key) if events_to and events_key else _demo(settings.home)

    asyncio.run(_serve(found, Receiver(found.secret, tell), sock, settings.home, target))


async def _serve(found: Post, receiver: Receiver, sock: socket.socket, home: Path, target: server.Targeting) -> None:
    await server.serve(sock, receiver, found.key, home / server.FILE, target, supervise.stopping(), found.mail)


def _demo(home: Path) -> Target | None:
    """The demo tenant of this installation, once it is there."""
    shown = kept.read(home)
    return Target(shown.url, shown.api_key) if shown else None


def _describe(console: Console, found: Post) -> None:
    console.print(f"Receiving at {found.url}, secret {found.secret}")
    console.print(f"Services at {found.services}/api/v1/…, key {found.key}")
    console.print(f"Mail server at smtp://127.0.0.1:{found.mail}?security=none")
    console.print(f"Pages and faults: {found.page}")
