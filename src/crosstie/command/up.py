"""`crosstie up`: everything in one process tree, with a demo tenant and a live feed where they are asked for."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

import httpx2
import typer
from rich.console import Console

from crosstie import supervise
from crosstie.command import demo, feed, http, live, out
from crosstie.command.failing import CONFLICT, LATE, Failure
from crosstie.command.process import bound, environ, loaded, serving
from crosstie.command.schema import bring
from crosstie.db.embedded import Embedded
from crosstie.installation import Installation, held
from crosstie.sandbox import post
from crosstie.settings import Settings
from crosstie.supervise import Child, Supervisor

READY_SECONDS = 60
#: an older start of the same installation may still be ending
PORT_SECONDS = 10
#: how often the embedded database is looked after, in seconds
LOOK = 0.5

app = out.command()


@app.command("up")
def up(
    demonstrate: Annotated[bool, typer.Option("--demo", help="Load a demo tenant and show what happens.")] = False,
) -> None:
    """Run everything: database, API, worker, scheduler; with --demo also a demo tenant, a sandbox and a live feed.

    crosstie up --demo

    CROSSTIE_HOME=/srv/crosstie CROSSTIE_PORT=9000 crosstie up
    """
    settings = loaded()
    console = Console(soft_wrap=True, highlight=False)
    started = time.monotonic()

    def tell(sentence: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {sentence}")

    supervise.raise_limits()
    with suppress(KeyboardInterrupt), _only(settings):
        asyncio.run(Up(settings, console, tell, demonstrate=demonstrate).run())
    console.print("Crosstie has stopped.")


@dataclass(slots=True)
class Up:
    """One run of `up`."""

    settings: Settings
    console: Console
    tell: Callable[[str], None]
    demonstrate: bool

    async def run(self) -> None:
        """Until a signal. Children load themselves while the database starts, and go on when it is of this version."""
        stop = supervise.stopping()
        with ExitStack() as stack:
            listener = stack.enter_context(closing(await _bound(self.settings)))
            children = serving(self.settings, "serving", listener, work=True)
            mail = None
            if self.demonstrate:
                found, hooks = post.listening(self.settings.home, None)
                stack.enter_context(closing(hooks))
                mail = found.mail
                children.append(Child("sandbox", ("sandbox", "--listener", str(hooks.fileno())), (hooks.fileno(),)))
            supervisor = Supervisor(
                children,
                environ(self.settings, loopback=self.demonstrate, mail=mail),
                self.tell,
                asyncio.Event(),
            )
            supervising = asyncio.create_task(supervisor.run(stop))
            try:
                at = await asyncio.to_thread(stack.enter_context, held(self.settings, self.tell, serves=True))
                if at.owner:
                    self.tell("Bringing the database to this version")
                    await bring(at)
                self.tell("Starting API, worker and scheduler" + (", and the sandbox" if self.demonstrate else ""))
                supervisor.go.set()
                await self._live(at, supervisor, supervising, stop)
            finally:
                stop.set()
                await asyncio.gather(supervising, return_exceptions=True)

    async def _live(
        self, at: Installation, supervisor: Supervisor, supervising: asyncio.Task[None], stop: asyncio.Event
    ) -> None:
        """Show what happens and look after the database, until a signal or a failure."""
        tasks = [asyncio.create_task(self._show(at, stop))]
        if at.embedded:
            tasks.append(asyncio.create_task(self._watch(at, supervisor, at.embedded)))
        try:
            await _first(stop, [supervising, *tasks])
            if stop.is_set():
                self.tell("Stopping: what is under way is finished")
        finally:
            stop.set()
            await asyncio.gather(supervising, return_exceptions=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, at: Installation, supervisor: Supervisor, embedded: Embedded) -> None:
        """Bring the embedded database back when it dies."""
        while True:
            await asyncio.sleep(LOOK)
            if not await asyncio.to_thread(embedded.running):
                self.tell("The embedded PostgreSQL is gone: starting it again")
                before = (at.app, at.worker)
                dsns = await asyncio.to_thread(embedded.start)
                if (dsns.app, dsns.worker) != before:
                    supervisor.restart()

    async def _show(self, at: Installation, stop: asyncio.Event) -> None:
        await ready(at.settings)
        url = at.settings.public_url
        if not self.demonstrate:
            self.tell(f"Crosstie is at {url}; Ctrl-C stops it")
            await stop.wait()
            return
        shown = await demo.load(at, self.tell)
        sandbox = post.kept(at.settings.home).services
        demo.describe(self.console, shown, sandbox)
        reader = live.Reader(http.way(at.settings, shown.api_key))
        async with feed.follow(self.console, http.own(at.settings, shown.api_key), reader, sandbox):
            await demo.begin(sandbox)
            await stop.wait()


async def ready(settings: Settings) -> None:
    """Return when the API says that it is ready. Raises Failure after a minute."""
    async with http.own(settings) as client:
        for _ in range(READY_SECONDS * 10):
            with suppress(httpx2.HTTPError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise Failure(f"The API at {settings.public_url} does not get ready.", LATE, "what its process said stands above")


async def _bound(settings: Settings) -> socket.socket:
    for _ in range(PORT_SECONDS * 5):
        try:
            return bound(settings)
        except Failure as failure:
            last = failure
            await asyncio.sleep(0.2)
    raise last


async def _first(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal, or for the first task that ends or fails."""
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        await task


@contextmanager
def _only(settings: Settings) -> Iterator[None]:
    """Refuse a second `up` of the same HOME."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(settings.home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.read(handle, 20).decode()
        os.close(handle)
        raise Failure(
            f"`crosstie up` already runs for {settings.home} (process {pid}).",
            CONFLICT,
            "stop it, or set CROSSTIE_HOME",
        ) from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
