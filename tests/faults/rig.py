"""The crash rig: an own PostgreSQL cluster and real serving processes that can be killed, frozen and started again.

What a start loads is no part of what is tried here: they are forked from a process that has loaded it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import asyncpg
import httpx2

from crosstie.catalog import catalogue
from crosstie.db.embedded import process, state
from tests.faults.check import SLACK, Crash, Got, Sent, Word, check
from tests.faults.ledger import entries
from tests.parts import fork
from tests.parts.fork import Forked
from tests.stage import PATIENCE, Stage, Tenant, calling, free_port

Role = Literal["api", "worker", "both"]
#: keeps a figure of a test in its report
Note = Callable[[str, object], None]
READY_SECONDS = 200.0


@dataclass
class Child:
    """One process of ours: its role, where it listens if it does, the handle by which it is ended, and its input."""

    name: str
    role: Role
    port: int
    handle: Forked
    voice: IO[bytes]


@dataclass
class Rig:
    """An installation in pieces. Everything that it starts, it ends."""

    stage: Stage
    children: dict[str, Child] = field(default_factory=dict)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    #: what the children's settings name
    brokers: tuple[str, ...] = ()
    #: further settings of the children
    settings: dict[str, str] = field(default_factory=dict)
    crashes: list[Crash] = field(default_factory=list)
    #: children that ended without having been told to
    fallen: list[Crash] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.stage.home

    @property
    def _data(self) -> Path:
        kept = state.read(self.home)
        assert kept is not None
        return self.home / kept.folder / "data"

    def urls(self) -> list[str]:
        """Where the API is served."""
        return [f"http://127.0.0.1:{child.port}" for child in self.children.values() if child.role != "worker"]

    # processes

    def start(self, name: str, role: Role, port: int = 0, *, level: str = "warning") -> Child:
        """Start a serving process; it may not be ready yet."""
        port = port or free_port()
        dsns = self.stage.cluster
        environ = os.environ | {
            "CROSSTIE_HOME": str(self.home),
            "CROSSTIE_PORT": str(port),
            "CROSSTIE_DATABASE_URL": dsns.app,
            "CROSSTIE_DATABASE_WORKER_URL": dsns.worker,
            "CROSSTIE_MASTER_KEY_FILE": str(self.home / "master.key"),
            "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8",
            "CROSSTIE_LOG_LEVEL": level,
            "CROSSTIE_POOL_SIZE": "6",
            "CROSSTIE_BROKERS": ",".join(self.brokers),
        }
        environ |= {f"CROSSTIE_{name}": value for name, value in self.settings.items()}
        words: list[str] = [role]
        given: list[int] = []
        with ExitStack() as stack:
            if role == "both":
                listener = stack.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", port))
                listener.listen(512)
                words, given = ["serve", "--name", name, "--listener"], [listener.fileno()]
            log = stack.enter_context((self.home / f"{name}.log").open("ab"))
            hears, says = os.pipe()
            stack.callback(os.close, hears)
            voice = os.fdopen(says, "wb", buffering=0)
            handle = fork.start(words, environ, self.home, [hears, log.fileno(), log.fileno()], given)
        if role == "both":
            voice.write(b"\n")  # the word of its parent
        child = self.children[name] = Child(name, role, port, handle, voice)
        return child

    async def ready(self, *names: str) -> None:
        """Return when these children (all, if none is named) serve. One that fell meanwhile is started again."""
        end = time.monotonic() + READY_SECONDS
        for name in names or list(self.children):
            while not await self._serves(self.children[name]):
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"{name} does not serve ({len(self.crashes)} crashes so far): {self._state(name)}"
                    )
                self.revive()
                await asyncio.sleep(0.1)

    async def _serves(self, child: Child) -> bool:
        if child.role != "worker":
            with suppress(httpx2.HTTPError):
                async with calling(timeout=5) as client:
                    return (await client.get(f"http://127.0.0.1:{child.port}/readyz")).status_code == 200
            return False
        with suppress(OSError, asyncpg.PostgresError):
            return bool(await self.ask(
                "SELECT count(*) FROM workers w JOIN pg_stat_activity a ON a.application_name = 'crosstie ear'"
                " WHERE w.seen_at > now() - interval '5 seconds' AND w.name = $1", child.role
            ))  # fmt: skip
        return False

    def revive(self) -> None:
        """Start again what fell, as a supervisor does."""
        for child in list(self.children.values()):
            if child.handle.poll() is not None:
                self.fallen.append(Crash(child.name, time.time(), time.time()))
                child.voice.close()
                self.start(child.name, child.role, child.port)

    async def supervise(self) -> None:
        """Start again whatever falls, until cancelled."""
        while True:
            self.revive()
            await asyncio.sleep(0.3)

    def unexplained(self) -> list[str]:
        """Children that fell while nothing was wrong."""
        return [f.victim for f in self.fallen if not any(c.start <= f.start <= c.end + SLACK for c in self.crashes)]

    def signal(self, name: str, number: signal.Signals) -> Child:
        """Send a signal to a child; with one that ends it, wait for the end and forget it."""
        child = self.children[name]
        child.handle.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            child.handle.wait(80)
            child.voice.close()
            del self.children[name]
        return child

    async def crash(self, name: str) -> None:
        """kill -9 and start again; the time between is on record."""
        began = time.time()
        child = self.signal(name, signal.SIGKILL)
        self.start(child.name, child.role, child.port)
        await self.ready(child.name)
        self.crashes.append(Crash(name, began, time.time()))

    async def crash_database(self, way: Literal["tree", "immediate", "backend"]) -> None:
        """kill -9 of the whole tree, immediate stop, or kill -9 of one backend; then back."""
        began = time.time()
        pid = process.postmaster(self._data)
        assert pid is not None
        if way == "immediate":
            os.kill(pid, signal.SIGQUIT)
        elif way == "backend":
            with suppress(ProcessLookupError):
                os.kill(_children(pid)[-1], signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGSTOP)  # or it would see its children die and begin to mend
            for victim in [*_children(pid), pid]:
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
        if way != "backend":
            await asyncio.to_thread(process.wait, lambda: not self.stage.embedded.running(), 10)
            again = await asyncio.to_thread(self.stage.embedded.start)
            assert again == self.stage.cluster, "the address of the database has changed"
        await self.ready()
        self.crashes.append(Crash(f"postgres {way}", began, time.time()))

    def run(self, module: str, script: dict[str, Any]) -> subprocess.Popen[bytes]:
        """Start a program of the tests with its script."""
        name = module.rpartition(".")[2]
        path = self.home / f"{name}-{len(self.others)}.json"
        path.write_text(json.dumps(script))
        with (self.home / f"{name}.log").open("ab") as log:
            handle = subprocess.Popen([sys.executable, "-m", module, str(path)], stdout=log, stderr=log)
        self.others.append(handle)
        return handle

    async def clear(self) -> None:
        """End everything; forget its workers, which would have their shares until they were silent, and its brokers."""
        self.close()
        self.brokers = ()
        self.settings = {}
        self.crashes.clear()
        self.fallen.clear()
        await self.ask("UPDATE workers SET seen_at = '-infinity' RETURNING id")
        await self.ask("DELETE FROM brokers RETURNING name")
        await self.ask("DELETE FROM places RETURNING way")

    def close(self) -> None:
        """End everything."""
        handles: list[Forked | subprocess.Popen[bytes]] = [child.handle for child in self.children.values()]
        for handle in handles + self.others:
            with suppress(ProcessLookupError):
                handle.send_signal(signal.SIGCONT)
                handle.kill()
            handle.wait(60)
        for child in self.children.values():
            child.voice.close()
        self.children.clear()
        self.others.clear()

    # looking on

    async def ask(self, query: str, *arguments: Any) -> Any:
        """One value, seen by the superuser."""
        connection = await asyncpg.connect(self.stage.cluster.superuser, timeout=30)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def until(self, query: str, *arguments: Any, seconds: float = 60) -> None:
        """Return when a query answers true."""
        end = time.monotonic() + seconds
        connection = await asyncpg.connect(self.stage.cluster.superuser, timeout=PATIENCE)
        try:
            while not await connection.fetchval(query, *arguments):
                if time.monotonic() > end:
                    raise TimeoutError(f"not within {seconds} s: {query}")
                await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def drained(self, tenants: list[Tenant], seconds: float = 100) -> float:
        """Seconds until nothing of these tenants is waiting any more. Raises TimeoutError with what is left."""
        began = time.monotonic()
        query = (
            "SELECT (SELECT count(*) FROM outbox WHERE tenant_id = ANY ($1)), (SELECT count(*) FROM deliveries"
            " WHERE tenant_id = ANY ($1) AND status IN ('pending', 'delivering', 'retrying'))"
        )
        connection = await self.stage.superuser()
        try:
            while True:
                left = tuple(*await connection.fetch(query, [tenant.id for tenant in tenants]))
                if left == (0, 0):
                    return time.monotonic() - began
                if time.monotonic() - began > seconds:
                    rows = await connection.fetch(
                        "SELECT count(*), lane IS NULL AS free, status, due_at = 'infinity' AS standing, min(due_at),"
                        " leased_by, leased_by IN (SELECT id FROM workers) AS known, max(attempts) FROM deliveries"
                        " WHERE tenant_id = ANY ($1) AND status IN ('pending', 'delivering', 'retrying')"
                        " GROUP BY 2, 3, 4, 6, 7 LIMIT 12",
                        [tenant.id for tenant in tenants],
                    )
                    raise TimeoutError(
                        f"after {seconds} s there is {left} left (outbox, deliveries): {rows} {self.last_words()}"
                    )
                await asyncio.sleep(0.2)
        finally:
            await connection.close()

    def _state(self, name: str) -> str:
        """What can be seen of a child that does not serve."""
        pid = self.children[name].handle.pid
        seen = [f"load {os.getloadavg()}"]
        for kind in ("wchan", "status"):
            with suppress(OSError):
                seen.append(Path(f"/proc/{pid}/{kind}").read_text()[:200])
        return "\n".join([*seen, (self.home / f"{name}.log").read_text()[-1500:]])

    def last_words(self) -> str:
        """The ends of the logs of all children."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self.home.glob("*.log")))

    async def tenant(self) -> Tenant:
        """A new tenant."""
        return await self.stage.tenant()

    def judge(self, sent: Path, got: Path, tenant: Tenant, path: str, *, ordered: bool) -> dict[str, int]:
        """The judgement on one endpoint of a tenant."""
        told = said(sent, tenant.slug)
        return dict(check(told, heard(got, path), self.crashes, ordered=ordered))


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(entry.parent.name))
    return sorted(found)


def said(path: Path, tenant: str) -> dict[str, Sent]:
    """The sender's ledger: the last word on each event of a tenant."""
    found: dict[str, Sent] = {}
    for entry in entries(path):
        if entry.get("tenant") == tenant:
            word: Word = "unknown" if entry["state"] == "attempt" else entry["state"]
            found[entry["id"]] = Sent(entry["id"], entry["key"], entry["seq"], entry["hash"], word)
    return found


def heard(path: Path, endpoint: str) -> list[Got]:
    """The receiver's ledger, as far as it is about one endpoint."""
    names = Got.__dataclass_fields__.keys()
    return [Got(**{name: e[name] for name in names}) for e in entries(path) if e["path"] == endpoint]


def open_type() -> tuple[str, dict[str, Any]]:
    """A type of event that every outsider may send, with data that fit it."""
    found = next(event for event in catalogue().events.values() if event.open and event.scope is None)
    return found.name, found.example


@contextmanager
def rigged(home: Path) -> Iterator[Rig]:
    """A rig in a folder; its processes and its database end with the block."""
    with ExitStack() as stack:
        stage = Stage(home)
        stack.callback(stage.embedded.remove)
        rig = Rig(stage)
        stack.callback(rig.close)
        yield rig
