"""Serving processes in the foreground: `api`, `worker`, `scheduler`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvloop

from crosstie import app as composition
from crosstie import supervise
from crosstie.access.rotation import Rotation
from crosstie.command import out
from crosstie.command.child import BOOT_SECONDS, serve
from crosstie.command.process import bound, environ, loaded, serving
from crosstie.command.schema import bring
from crosstie.db import engine
from crosstie.installation import Installation, held
from crosstie.log.retention import Keeper
from crosstie.log.timed import Timed
from crosstie.settings import Settings
from crosstie.supervise import Supervisor
from crosstie.watch.watcher import Watcher

api = out.command()
worker = out.command()
scheduler = out.command()


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
                Watcher(process.log, at.settings.operator_tenant),
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
            asyncio.run(bring(at))
        yield at
