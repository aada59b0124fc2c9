"""What looks at a process at work: metrics, pulses, presence, the watcher, and spans where they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.broker import Broker, Take
from crosstie.deliver.broker.line import Incoming
from crosstie.log.call import Asked
from crosstie.log.dispatch import Dispatcher
from crosstie.log.ingest import Ingest
from crosstie.log.route import Routes
from crosstie.log.unit import Log
from crosstie.log.worker import Worker
from crosstie.services.remote import Remote
from crosstie.watch.metrics import Metrics, observers
from crosstie.watch.presence import Presence, State
from crosstie.watch.pulse import Pulses
from crosstie.watch.watcher import Watcher

if TYPE_CHECKING:
    from crosstie.watch.trace import Tracing

#: by which the environment asks for spans, as OpenTelemetry has it
COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Eyes:
    """The eyes of one process. `brokers` are those that it keeps lines to."""

    def __init__(
        self, log: Log, ingest: Ingest, dispatcher: Dispatcher, routes: Routes, name: str, brokers: Sequence[Broker]
    ) -> None:
        self._log, self._ingest, self._dispatcher, self._routes = log, ingest, dispatcher, routes
        self._brokers = brokers
        self.metrics = Metrics(log, ingest, dispatcher, name, routes.get, self._lines)
        self._pulses = Pulses(log.worker, routes.get)
        self._presence = Presence(log.worker, name, self._lines, self.metrics.encoded)
        #: told of every request to a remote service
        self.asked: Callable[[Asked], None] = observers(self.metrics.asked, self._pulses.asked)
        #: told of every attempt of a provider of messages
        self.called = self._pulses.call
        self._tracing: Tracing | None = None

    def open(
        self, stack: AsyncExitStack, worker: Worker | None, operator: str, remote: Remote
    ) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Begin to look, once every sink is known; what is to be run. `operator` is a slug: his own tenant's."""
        stack.push_async_callback(self._pulses.flush)
        if asked_for(os.environ):  # loaded only then
            self._tracing = import_module("crosstie.watch.trace").Tracing(self.metrics.process, os.environ)
            self._tracing.attach(self._log, self._ingest, self._dispatcher, self._routes)
            remote.begin = self._tracing.asking
            stack.push_async_callback(self._tracing.close)
        tasks = [self._presence.run, self._pulses.run]
        if worker:
            worker.observe = observers(self.metrics.attempted, self._pulses.attempted)
            tasks.append(Watcher(self._log, operator).run)
        return tasks

    def edge(self, web: ASGIApp) -> ASGIApp:
        """The web application, with a span for each request where they are asked for."""
        return self._tracing.edge(web) if self._tracing else web

    def counted(self, take: Take) -> Take:
        """What takes messages of a broker, with a count of them."""

        async def counting(address: Address, messages: Sequence[Incoming]) -> None:
            self.metrics.came(address.name, len(messages))
            await take(address, messages)

        return counting

    def _lines(self) -> Iterator[State]:
        """How the lines to brokers are, as this process finds them."""
        for broker in self._brokers:
            tenants = broker.address.tenants
            slugs = None if tenants is None else sorted(tenants)
            yield State("broker", broker.address.name, broker.since, broker.fault, slugs)


def asked_for(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for spans."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(environ.get(name) for name in COLLECTORS)
