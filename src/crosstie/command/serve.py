"""Serving processes in the foreground: `api`, `worker`, `scheduler`, and the children of `up`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer
import uvloop

from crosstie import app as composition
from crosstie import supervise
from crosstie.access.rotation import Rotation
from crosstie.command import out
from crosstie.command.process import bound, environ, loaded, serving
from crosstie.db import engine
from crosstie.installation import Installation, attached, held
from crosstie.log.retention import Keeper
from crosstie.log.timed import Timed
from crosstie.settings import Settings
from crosstie.supervise import Supervisor

BOOT_SECONDS = 60

api = out.command()
worker = out.command()
scheduler = out.command()
child = out.command()


@api.command("api")
def run_api() -> None:
    """Run the API until SIGTERM; it drains for at most 30 s.

    crosstie api

    CROSSTIE_PORT=9000 crosstie api
    """
    _foreground("api", api=True, work=False)


@worker.command("worker")
def run_worker() -> None:
    """Run the worker until SIGTERM; it drains for at most 30 s.

    crosstie worker

    CROSSTIE_LOG_LEVEL=debug crosstie worker
    """
    _foreground("worker", api=False, work=True)


@scheduler.command("scheduler")
def run_scheduler() -> None:
    """Run what is done at set times (upkeep of the log, moves that time takes) until SIGTERM.

    crosstie scheduler

    CROSSTIE_RETENTION_EVENTS=30 crosstie scheduler
    """
    settings = loaded()
    supervise.raise_limits()
    with _held(settings, "scheduler") as at:
        uvloop.run(schedule(at))


@child.command("serve", hidden=True)
def run_child(
    name: Annotated[str, typer.Option()] = "serving",
    listener: Annotated[int, typer.Option(help="An open file: the listening socket.")] = -1,
    work: Annotated[bool, typer.Option()] = True,
) -> None:
    """API and worker in one process, for a parent that keeps the database."""
    supervise.follow_parent()
    settings = loaded()
    sock = socket.socket(fileno=listener) if listener >= 0 else None
    uvloop.run(serve(attached(settings), name=name, api=sock is not None, work=work, listener=sock))


async def serve(at: Installation, *, name: str, api: bool, work: bool, listener: socket.socket | None = None) -> None:
    """One serving process until a signal."""
    stop = supervise.stopping()
    await engine.wait_until_ready(at.app, BOOT_SECONDS)
    await composition.serve(at.settings, at.serving, api=api, work=work, name=name, listener=listener, stop=stop)


async def schedule(at: Installation) -> None:
    """What is done at set times, until a signal."""
    stop = supervise.stopping()
    await engine.wait_until_ready(at.worker, BOOT_SECONDS)
    async with composition.opened(at.settings, at.serving, work=False, name="scheduler") as process:
        tasks = [
            asyncio.create_task(each.run())
            for each in (
                Keeper(process.log.worker, at.settings),
                Timed(process.log),
                Rotation(process.log, process.vault),
            )
        ]
        await stop.wait()
        for task in tasks:
            task.cancel()


def _foreground(name: str, *, api: bool, work: bool) -> None:
    settings = loaded()
    supervise.raise_limits()
    with _held(settings, name) as at:
        listener = bound(settings) if api else None
        if settings.workers == 1:
            uvloop.run(serve(at, name=name, api=api, work=work, listener=listener))
            return
        logger = structlog.get_logger()
        children = serving(settings, name, listener, work=work)
        asyncio.run(_several(Supervisor(children, environ(settings), logger.warning)))


async def _several(supervisor: Supervisor) -> None:
    await supervisor.run(supervise.stopping())


@contextmanager
def _held(settings: Settings, name: str) -> Iterator[Installation]:
    """The installation; an embedded database is brought to this version first."""
    logger = structlog.get_logger()
    with held(settings, lambda sentence: logger.info(name, step=sentence), serves=True) as at:
        if at.embedded:
            asyncio.run(at.migrate())
        yield at
