"""What every bench shares: a whole installation with a cluster of its own, real processes, and a figure's form.

Everything runs on this machine, so rates move with whatever else it does. A figure is therefore a ratio against a bare
reference measured in the same run, in turns, and the CPU time of one operation stands beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import child
import uvloop

from crosstie.access import key as keys
from crosstie.access import tenant as tenants
from crosstie.app import Dsns, functions, opened
from crosstie.db.embedded import Embedded
from crosstie.db.embedded import state as embedded_state
from crosstie.db.migrate import migrate
from crosstie.db.policies import Roles
from crosstie.log import change
from crosstie.log.event import Actor

HERE = Path(__file__).parent
EVERYTHING = Actor("system", None, frozenset("*"))
TICKS = os.sysconf("SC_CLK_TCK")
QUICK = "--quick" in sys.argv


@dataclass
class Figure:
    """One line of the table: `value` is compared with `least` and `aim`. Lower is better unless the aim is above."""

    name: str
    value: float
    least: float
    aim: float
    unit: str = "x"
    note: str = ""

    def verdict(self) -> str:
        """How far it got."""
        rising = self.least < self.aim
        for word, bound in (("aim", self.aim), ("least", self.least)):
            if self.value >= bound if rising else self.value <= bound:
                return word
        return "MISSED"


def show(figures: list[Figure]) -> None:
    """Print figures as one table."""
    print(f"\n{'figure':48} {'value':>10} {'least':>8} {'aim':>8}  {'':6} beside it")
    for f in figures:
        print(f"{f.name:48} {f.value:>8.2f}{f.unit:2} {f.least:>8g} {f.aim:>8g}  {f.verdict():6} {f.note}")


def main(measure: Callable[[Stand], Coroutine[Any, Any, list[Figure]]]) -> None:
    """Run one bench from the command line. With `--json PATH` the figures are written for the table of all."""
    with stand() as here:
        figures = uvloop.run(measure(here))
    if "--json" in sys.argv:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps([vars(f) for f in figures]))
    show(figures)


def seconds(full: float) -> float:
    """How long one round takes."""
    return full / 4 if QUICK else full


async def rounds(*turns: Callable[[], Awaitable[Mapping[str, float]]], count: int = 3) -> list[dict[str, float]]:
    """Each turn `count` times, interleaved; the median of every number of each."""
    found: list[list[Mapping[str, float]]] = [[] for _ in turns]
    for _ in range(1 if QUICK else count):
        for number, turn in enumerate(turns):
            found[number].append(await turn())
    return [{name: statistics.median(r[name] for r in results) for name in results[0]} for results in found]


def costs(found: Mapping[str, float], each: int = 1) -> str:
    """Rate and CPU of a run in words: of the serving processes, of PostgreSQL."""
    return (
        f"{found['rate'] * each:.0f}/s, {found['serving_us'] / each:.0f} + {found['database_us'] / each:.0f} µs CPU,"
        f" elsewhere {found['elsewhere']:.1f} cores"
    )


def cpu(pids: list[int]) -> float:
    """Seconds of CPU that these processes have used, with their children that ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in found.read_text().split()] if found.exists() else []


def resident(pid: int) -> float:
    """Megabytes of memory that a process holds alone: what it shares with others is counted in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@dataclass
class Tenant:
    """A tenant with a key that may do everything."""

    id: UUID
    key: str


@dataclass
class Stand:
    """One installation. `serving` runs its processes."""

    home: Path
    embedded: Embedded
    dsns: Dsns
    superuser: str
    port: int
    serving_pids: list[int] = field(default_factory=list)

    @property
    def database_pids(self) -> list[int]:
        """PostgreSQL's processes."""
        data = Path(self.embedded_folder()) / "data" / "postmaster.pid"
        postmaster = int(data.read_text().split()[0])
        return [postmaster, *children(postmaster)]

    def embedded_folder(self) -> str:
        """Where the cluster lies."""
        kept = embedded_state.read(self.home)
        assert kept is not None
        return str(self.home / kept.folder)

    def spent(self) -> tuple[float, float, float, float]:
        """Seconds of CPU so far: of programs that ended, of the serving processes, of PostgreSQL, of the machine."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        user, nice, system, _, _, irq, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
        busy = (user + nice + system + irq + soft) / TICKS
        return ended.ru_utime + ended.ru_stime, cpu(self.serving_pids), cpu(self.database_pids), busy

    @contextmanager
    def serving(self, processes: int = 1, *, entry: str = "child.py", work: bool = True, **more: Any) -> Iterator[None]:
        """Serving processes on one port, as `crosstie up` runs them."""
        plan = {"home": str(self.home), "port": self.port, "work": work, **more}
        plan |= {"app": self.dsns.app, "worker": self.dsns.worker}
        outer = self.serving_pids
        started = [run(entry, plan | {"name": f"bench-{number}"}) for number in range(processes)]
        self.serving_pids = [process.pid for process in started]
        try:
            wait_ready(self.port, processes, started)
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(40)
            self.serving_pids = outer

    async def tenant(self) -> Tenant:
        """A new tenant."""
        slug = f"t-{secrets.token_hex(6)}"
        async with opened(child.settings(self.home, self.port), self.dsns, work=False, name="bench") as process:
            id = await tenants.make(process.log.app, process.vault, slug=slug, name=slug.title())
            async with process.log.unit(id, EVERYTHING) as unit:
                values = keys.API_KEYS.creation.decode({"name": "everything", "scopes": ["*"]})
                await change.create(unit, keys.API_KEYS, values)
            return Tenant(id, unit.shown["key"])

    async def call(self, tenant: Tenant, method: str, path: str, body: Any = None) -> Any:
        """One request, for what a bench needs beforehand."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"authorization": f"Bearer {tenant.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)

        def send() -> bytes:
            try:
                with urllib.request.urlopen(request) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"{method} {path}: {error.read().decode()}") from None

        return json.loads(await asyncio.to_thread(send))

    async def load(self, serving: list[int] | None = None, **plan: Any) -> dict[str, float]:
        """Run the load generator; its findings, with the CPU that each part spent (of these serving processes)."""
        self.serving_pids = serving or self.serving_pids
        found = await self.measured("load.py", {"port": self.port} | plan)
        if found["bad"]:
            raise RuntimeError(f"{found['bad']} of {found['good'] + found['bad']} requests failed")
        return found

    async def reference(self, length: float) -> dict[str, float]:
        """Run R for so many seconds."""
        found = await self.measured("reference.py", {"dsn": self.superuser, "seconds": length})
        return found | {"us": found["own_us"] + found["database_us"]}

    async def measured(self, program: str, plan: Mapping[str, Any]) -> dict[str, float]:
        """Run a program that prints its findings; with the microseconds of CPU for each good operation: of the program
        itself, of the serving processes, of PostgreSQL; and how many cores were busy with what is not ours."""
        before, began = self.spent(), time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(HERE / program), json.dumps(plan), stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
        took = time.perf_counter() - began
        own, serving, database, busy = (after - b for after, b in zip(self.spent(), before, strict=True))
        found: dict[str, float] = json.loads(out)
        each = 1e6 / max(1, found["good"])
        found |= {"own_us": own * each, "serving_us": serving * each, "database_us": database * each}
        found["us"] = (serving + database) * each
        found["elsewhere"] = (busy - own - serving - database) / took
        return found


def run(entry: str, plan: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """One child process."""
    command = [sys.executable, str(HERE / entry), json.dumps(plan)]
    return subprocess.Popen(command)


def wait_ready(port: int, times: int, processes: list[subprocess.Popen[bytes]]) -> None:
    """Return when every process answers; the kernel deals connections out among them."""
    good = 0
    for _ in range(600):
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a serving process ended")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=2):
                good += 1
        except OSError:
            good = 0
        if good >= 6 * times - 5:
            return
        time.sleep(0.05)
    raise TimeoutError("the processes did not become ready")


@contextmanager
def sink(wait: str = "0") -> Iterator[Sink]:
    """A receiver of webhooks in a process of its own, which answers after so many seconds."""
    command = [sys.executable, str(HERE / "sink.py"), wait]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Sink(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


@dataclass
class Sink:
    """The receiver, seen from here."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self.port}/hook"

    def report(self) -> dict[str, float]:
        """What came since the last report: how many, and the milliseconds from sent to received."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"report\n")
        self.process.stdin.flush()
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    async def report_of(self, count: int) -> dict[str, float]:
        """The same once so many came; `age_p50` and `age_p99` are the milliseconds from sent to received."""
        await asyncio.sleep(0.5)
        found = self.report()
        if found["count"] < count:
            raise RuntimeError(f"{found['count']} of {count} were received")
        return {"age_p50": found["p50"], "age_p99": found["p99"]}


@contextmanager
def stand() -> Iterator[Stand]:
    """A stand in a folder of its own, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-bench-"))
    embedded = Embedded(home)
    folder = None
    try:
        cluster = embedded.start()
        (home / "master.key").write_bytes(os.urandom(32))
        (home / "master.key").chmod(0o600)
        made = Stand(home, embedded, Dsns(cluster.app, cluster.worker), cluster.superuser, free_port())
        folder = made.embedded_folder()
        asyncio.run(migrate(cluster.owner, child.catalog.catalogue().tables, functions(), Roles()))
        yield made
    finally:
        embedded.stop()
        shutil.rmtree(home, ignore_errors=True)
        if folder:
            shutil.rmtree(Path(folder), ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
