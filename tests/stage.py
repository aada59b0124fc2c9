"""A whole installation for tests: its own PostgreSQL cluster with real roles, API and worker in one serving thread."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import uvloop

from crosstie.access import key as keys
from crosstie.access import tenant as tenants
from crosstie.access.vault import Vault
from crosstie.app import Dsns, functions, opened, serve
from crosstie.catalog import catalogue
from crosstie.db.embedded import Embedded
from crosstie.db.migrate import migrate
from crosstie.db.policies import Roles
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.settings import Settings

EVERYTHING = Actor("system", None, frozenset("*"))


@dataclass
class Tenant:
    """A tenant of the stage with a key that may do everything."""

    id: UUID
    slug: str
    key: str
    url: str

    def client(self, **options: object) -> httpx2.AsyncClient:
        """A client with the tenant's key."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, **options)  # type: ignore[arg-type]


class Stage:
    """One installation. `serve` runs it; tests may also run processes of their own against its database."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.embedded = Embedded(home)
        self.cluster = self.embedded.start()
        self.dsns = Dsns(self.cluster.app, self.cluster.worker)
        (home / "master.key").write_bytes(os.urandom(32))
        (home / "master.key").chmod(0o600)
        self.port = free_port()
        self.settings = Settings(
            home=home, port=self.port, egress_allow=("127.0.0.0/8", "::1/128"), log_level="warning"
        )
        try:
            asyncio.run(migrate(self.cluster.owner, catalogue().tables, functions(), Roles()))
        except BaseException:
            self.embedded.remove()
            raise

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """API and worker in a thread of their own, as `crosstie up` runs them in a process."""
        loop = uvloop.new_event_loop()
        stop = asyncio.Event()
        work = serve(self.settings, self.dsns, api=True, work=True, name="stage", stop=stop)
        thread = threading.Thread(target=loop.run_until_complete, args=(work,), daemon=True)
        thread.start()
        self.await_ready()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(30)
            loop.close()

    def await_ready(self, seconds: float = 15) -> None:
        """Return when the API answers that it is ready."""
        for _ in range(int(seconds * 20)):
            try:
                if httpx2.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            threading.Event().wait(0.05)
        raise TimeoutError("the stage did not become ready")

    async def tenant(self) -> Tenant:
        """A new tenant."""
        slug = f"t-{secrets.token_hex(6)}"
        async with opened(self.settings, self.dsns, work=False, name="test") as process:
            id = await tenants.make(process.log.app, process.vault, slug=slug, name=slug.title())
            await process.vault.load(process.log.app, id)
            async with process.log.unit(id, EVERYTHING) as unit:
                values = keys.API_KEYS.creation.decode({"name": "everything", "scopes": ["*"]})
                await change.create(unit, keys.API_KEYS, values)
            return Tenant(id, slug, unit.shown["key"], self.url)

    async def superuser(self) -> asyncpg.Connection:
        """A connection past row-level security, to look behind the curtain."""
        return await asyncpg.connect(self.cluster.superuser)

    def vault(self) -> Vault:
        """A vault with the stage's master key."""
        return Vault((self.home / "master.key").read_bytes())


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage in a folder of its own, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-test-"))
    stage = Stage(home)
    try:
        with stage.serving():
            yield stage
    finally:
        stage.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)
