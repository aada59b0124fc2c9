"""Metrics in OpenMetrics form: what any process is asked, it answers for the whole installation.

Each process counts for itself (tally.py) and hands its figures to the others with its beat (presence.py); what is in
the database is read there. Where the database is away only the figures of the asked process are shown, as old ones
would look like new ones.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar
from uuid import UUID

from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

from crosstie.db.engine import TROUBLE
from crosstie.log.call import Asked
from crosstie.log.dispatch import Dispatcher
from crosstie.log.ingest import Ingest
from crosstie.log.sink import Result, Route
from crosstie.log.unit import Log
from crosstie.watch import family, measure, presence, tally
from crosstie.watch.presence import State
from crosstie.watch.ready import ready
from crosstie.watch.tally import Figures, Tally

T = TypeVar("T")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
#: column of the queues' depth → metric
DEPTHS = {
    "waiting": family.WAITING,
    "leased": family.LEASED,
    "oldest": family.OLDEST,
    "undispatched": family.UNDISPATCHED,
    "behind": family.BEHIND,
}
_process = ProcessCollector(registry=None)


class Crowd(Protocol):
    """The live connections of a process, as whoever serves them counts them."""

    @property
    def connections(self) -> Mapping[str, int]: ...

    @property
    def frames(self) -> Mapping[str, int]: ...

    @property
    def away(self) -> Mapping[tuple[str, str], int]: ...


class Metrics:
    """The figures of one process, and the way to those of all."""

    def __init__(
        self,
        log: Log,
        ingest: Ingest,
        dispatcher: Dispatcher,
        name: str,
        route: Callable[[UUID], Route | None],
        states: Callable[[], Iterable[State]],
    ) -> None:
        self._log = log
        self._ingest = ingest
        self._dispatcher = dispatcher
        self._route = route
        self._states = states
        self.process = f"{name}@{socket.gethostname()}:{os.getpid()}"
        self.tally = Tally()
        #: who is connected, where this process serves the API
        self.crowd: Crowd | None = None

    # counting

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request."""
        method = method if method in METHODS else "other"  # anybody may think of methods
        self.tally.observe(family.REQUESTS, (method, route, str(status)), seconds)

    def attempted(self, result: Result) -> None:
        """One recorded attempt."""
        outcome, sink = result.outcome, result.lease.sink
        route = self._route(result.lease.endpoint_id)
        integration = (route.name if route else "") or sink
        word = "delivered" if outcome.ok else cause(outcome.error_code, outcome.response_status)
        self.tally.observe(family.ATTEMPTS, (sink, integration, word), outcome.duration_ms / 1000)
        if result.wait is None:
            self.tally.add(family.ENDED, (sink, integration, result.status))

    def called(self, service: str, outcome: str, seconds: float) -> None:
        """One call to a service; `outcome` is ok, or a word for why not."""
        self.tally.observe(family.CALLS, (service, outcome), seconds)

    def asked(self, asked: Asked) -> None:
        """One request to a remote service."""
        self.called(asked.operation.partition(".")[0], "ok" if asked.ok else asked.outcome, asked.seconds)

    def came(self, broker: str, messages: int) -> None:
        """Messages came in from a broker."""
        self.tally.add(family.CAME, (broker,), messages)

    def knocked(self, dialect: str, status: str) -> None:
        """One request at an inbound source."""
        self.tally.add(family.KNOCKED, (dialect, status))

    # showing

    def figures(self) -> Figures:
        """What this process has counted, and how it is."""
        found = self.tally.figures()
        ways = (("change", self._log.appended), ("ingest", self._ingest.appended))
        found[family.APPENDED.name] = [((way,), [float(count)]) for way, count in ways]
        found[family.DISPATCHED.name] = [((), [float(self._dispatcher.dispatched)])]
        found[family.CONNECTIONS.name] = [
            ((role, state), [float(count)])
            for role, pool in (("app", self._log.app), ("worker", self._log.worker))
            for state, count in (
                ("open", pool.get_size()),
                ("idle", pool.get_idle_size()),
                ("most", pool.get_max_size()),
            )
        ]
        found[family.LINES.name] = [((s.kind, s.name), [float(s.fault is None)]) for s in self._states()]
        if self.crowd:
            found[family.CONNECTED.name] = [((wire,), [float(n)]) for wire, n in self.crowd.connections.items()]
            found[family.FRAMES.name] = [((wire,), [float(n)]) for wire, n in self.crowd.frames.items()]
            found[family.AWAY.name] = [(labels, [float(n)]) for labels, n in self.crowd.away.items()]
        for metric in _process.collect():
            found[metric.name] = [((), [metric.samples[0].value])]
        return found

    def encoded(self) -> bytes:
        """The same, as the other processes get it."""
        return tally.encode(self.figures())

    async def scrape(self) -> bytes:
        """The figures of all processes in OpenMetrics text."""
        own: dict[str, Figures] = {}
        shared: Figures = {}
        try:
            async with asyncio.timeout(5):
                own, shared = await self._others(), await self._shared()
        except (*TROUBLE, TimeoutError):
            own, shared = {}, {}
            self.tally.add(family.ERRORS)
        own[self.process] = self.figures()
        drawing = tally.Drawing(own, shared)
        return await asyncio.to_thread(_text, drawing)

    async def ready(self) -> str | None:
        """None where this process can commit, else why not."""
        return await ready(self._log.app)

    async def _others(self) -> dict[str, Figures]:
        rows = await presence.alive(self._log.worker)
        found = {f"{row['name']}@{row['host']}:{row['pid']}": row["figures"] for row in rows}
        return {name: tally.decode(figures) for name, figures in found.items() if name != self.process}

    async def _shared(self) -> Figures:
        depth = await measure.depth(self._log.worker)
        found: Figures = {each.name: [((), [float(depth[column])])] for column, each in DEPTHS.items()}
        for row in await self._log.worker.fetch("SELECT * FROM watch_figures()"):
            found.setdefault(row["family"], []).append((tuple(row["labels"]), [float(row["value"])]))
        return found


def cause(code: str | None, status: int | None) -> str:
    """Why an attempt failed, as one of few words: a receiver may think of any status."""
    if status is not None:
        return f"http_{status // 100}xx"
    return code or "failed"


def _text(drawing: tally.Drawing) -> bytes:
    return bytes(generate_latest(drawing))  # type: ignore[no-untyped-call]  # untyped in the library


def observers(*told: Callable[[T], None]) -> Callable[[T], None]:
    """One ear for several."""

    def observe(news: T) -> None:
        for tell in told:
            tell(news)

    return observe
