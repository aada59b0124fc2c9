"""The process that serves: alone in the foreground, or as one of the children of `up`."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
import uvloop

from crosstie import app as composition
from crosstie import supervise
from crosstie.command.process import loaded
from crosstie.db import engine
from crosstie.installation import Installation, attached

BOOT_SECONDS = 60

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("serve", hidden=True)
def run(
    name: Annotated[str, typer.Option()] = "serving",
    listener: Annotated[int, typer.Option(help="An open file: the listening socket.")] = -1,
    work: Annotated[bool, typer.Option()] = True,
) -> None:
    """API and worker in one process, for a parent that keeps the database."""
    supervise.await_parent()
    supervise.follow_parent()
    settings = loaded()
    sock = socket.socket(fileno=listener) if listener >= 0 else None
    uvloop.run(serve(attached(settings), name=name, api=sock is not None, work=work, listener=sock))


async def serve(at: Installation, *, name: str, api: bool, work: bool, listener: socket.socket | None = None) -> None:
    """One serving process until a signal."""
    stop = supervise.stopping()
    await engine.wait_until_ready(at.app, BOOT_SECONDS)
    await composition.serve(at.settings, at.serving, api=api, work=work, name=name, listener=listener, stop=stop)
