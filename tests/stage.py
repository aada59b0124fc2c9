"""A whole installation for tests: its own PostgreSQL cluster with real roles, API and worker in one serving thread."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import uvloop

from crosstie.access import key as keys
from crosstie.access import tenant as tenants
from crosstie.access.vault import Vault
from crosstie.app import Dsns, Process, opened, serve
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.settings import Settings
from tests.mould import cast

#: seconds that starting and stopping may take on a busy machine
PATIENCE = 100
#: ports that neither the system gives to outgoing connections nor an embedded database takes
PORTS = range(10_000, 15_000)
EVERYTHING = Actor("system", None, frozenset("*"))


def calling(url: str = "", **options: Any) -> httpx2.AsyncClient:
    """A client of plain http (it need not read the system's certificates, which takes long), with patience."""
    return httpx2.AsyncClient(base_url=url, **{"timeout": PATIENCE, "verify": False, **options})


@dataclass
class Tenant:
    """A tenant of the stage with a key that may do everything."""

    id: UUID
    slug: str
    key: str
    url: str

    def client(self, **options: object) -> httpx2.AsyncClient:
        """A client with the tenant's key."""
        return calling(self.url, headers={"authorization": f"Bearer {self.key}"}, **options)


class Stage:
    """One installation. `serve` runs it; tests may also run processes of their own against its database."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.embedded = cast(home)
        self.cluster = self.embedded.start()
        # no commit waits for the disk: what these tests prove does not outlive the machine
        self.dsns = Dsns(*(f"{dsn}?synchronous_commit=off" for dsn in (self.cluster.app, self.cluster.worker)))
        (home / "master.key").write_bytes(os.urandom(32))
        (home / "master.key").chmod(0o600)
        self.port = free_port()
        #: while it is served: the loop of that thread, and a process's parts in it, by which tenants are made
        self._desk: tuple[asyncio.AbstractEventLoop, Process] | None = None
        self.settings = Settings(
            home=home,
            port=self.port,
            egress_allow=("127.0.0.0/8", "::1/128"),
            log_level="warning",
            rate_limit_guests=10_000_000,
            rate_limit_tokens=10_000_000,
        )

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """API and worker in a thread of their own, as `crosstie up` runs them in a process."""
        loop = uvloop.new_event_loop()
        stop = asyncio.Event()

        async def work() -> None:
            async with opened(self.settings, self.dsns, work=False, name="desk") as desk:
                self._desk = loop, desk
                await serve(self.settings, self.dsns, api=True, work=True, name="stage", stop=stop)

        thread = threading.Thread(target=loop.run_until_complete, args=(work(),), daemon=True)
        thread.start()
        self.await_ready()
        try:
            yield
        finally:
            self._desk = None
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE)
            loop.close()

    def await_ready(self) -> None:
        """Return when the API answers that it is ready."""
        end = time.monotonic() + PATIENCE
        with httpx2.Client(verify=False) as client:
            while time.monotonic() < end:
                with suppress(httpx2.HTTPError):
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        raise TimeoutError("the stage did not become ready")

    async def tenant(self, slug: str = "") -> Tenant:
        """A new tenant."""
        slug = slug or f"t-{secrets.token_hex(6)}"
        if self._desk is None:
            async with opened(self.settings, self.dsns, work=False, name="desk") as desk:
                return await self._made(desk, slug)
        loop, desk = self._desk
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._made(desk, slug), loop))

    async def _made(self, desk: Process, slug: str) -> Tenant:
        id = await tenants.make(desk.log.app, desk.vault, slug=slug, name=slug.title())
        await desk.vault.load(desk.log.app, id)
        async with desk.log.unit(id, EVERYTHING) as unit:
            values = keys.API_KEYS.creation.decode({"name": "everything", "scopes": ["*"]})
            await change.create(unit, keys.API_KEYS, values)
        return Tenant(id, slug, unit.shown["key"], self.url)

    async def suspend(self, tenant: Tenant) -> None:
        """Have the rounds of the installation, which go from tenant to tenant, pass this one over."""
        if self._desk is not None:
            loop, desk = self._desk
            done = tenants.set_status(desk.log.app, desk.vault, tenant.id, "suspended")
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(done, loop))

    async def superuser(self) -> asyncpg.Connection:
        """A connection past row-level security, to look behind the curtain."""
        return await asyncpg.connect(self.cluster.superuser)

    async def vault(self) -> Vault:
        """A vault with the stage's master key, to sign as the stage does."""
        async with opened(self.settings, self.dsns, work=False, name="test") as process:
            return process.vault


def free_port() -> int:
    """A port that nobody uses right now, and that is unlikely to be taken before it is listened on."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@contextmanager
def staged(**changes: Any) -> Iterator[Stage]:
    """A stage in a folder of its own, gone afterwards; `changes` are settings."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-test-"))
    stage = Stage(home)
    stage.settings = msgspec.structs.replace(stage.settings, **changes)
    try:
        with stage.serving():
            yield stage
    finally:
        stage.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)
