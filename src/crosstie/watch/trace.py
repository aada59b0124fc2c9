"""OpenTelemetry: spans of requests, commits, dispatch and attempts, joined by the `traceparent` that events carry.

Loaded only where the environment names a collector (OTEL_EXPORTER_OTLP_ENDPOINT). The hot paths know nothing of it: it
wraps the web application and the sinks, and is told of commits and dispatched events afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

from crosstie import __version__
from crosstie.db.engine import Connection
from crosstie.log.call import Asked
from crosstie.log.dispatch import Dispatcher
from crosstie.log.event import Event
from crosstie.log.ingest import Arrival, Fate, Ingest
from crosstie.log.route import Routes
from crosstie.log.sink import Lease, Outcome, Result, Route, Sink
from crosstie.log.unit import Log, Unit

W3C = TraceContextTextMapPropagator()
TRACEPARENT = b"traceparent"
#: what is asked all the time and tells nothing
QUIET = frozenset(("/livez", "/readyz", "/metrics"))


#: kinds of sinks that bring nothing to another system themselves
INNER = frozenset(("reaction", "service"))


class Tracing:
    """The spans of one process."""

    def __init__(self, process: str, environ: Mapping[str, str]) -> None:
        named = {} if environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "crosstie"}
        about = {**named, "service.version": __version__, "service.instance.id": process}
        self._provider = TracerProvider(resource=Resource.create(about))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer("crosstie", __version__)

    def attach(self, log: Log, ingest: Ingest, dispatcher: Dispatcher, routes: Routes) -> None:
        """Hear of what these do. To be called when every sink is known."""
        log.observe = self._committed
        dispatcher.observe = self._dispatched
        put = ingest.put

        def putting(arrivals: list[Arrival], *, at_once: bool = False) -> asyncio.Future[Sequence[Fate]]:
            future = put(arrivals, at_once=at_once)
            future.add_done_callback(partial(self._ingested, arrivals, time.time_ns()))
            return future

        ingest.put = putting  # type: ignore[assignment]  # the same but for the name of a parameter
        routes.sinks = {kind: Traced(sink, self) for kind, sink in routes.sinks.items()}

    def asking(self, operation: str, trace: str | None) -> tuple[str, Callable[[Asked], None]]:
        """Begin the span of a request to a remote service: its place, and what ends it."""
        span = self.tracer.start_span(operation, parent(trace), kind=SpanKind.CLIENT)
        return place(span), partial(_answered, span)

    def edge(self, app: ASGIApp) -> ASGIApp:
        """The web application, with a span for each request."""
        return Requests(app, self.tracer)

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)

    def _committed(self, unit: Unit) -> None:
        if unit.trace is None and not unit.appended:
            return
        types = [event.type for event in unit.appended]
        about = {"crosstie.tenant_id": str(unit.tenant_id), "crosstie.event_types": types}
        self._past("commit", unit.trace, _nanoseconds(unit.now), about)

    def _ingested(self, arrivals: Sequence[Arrival], started: int, future: asyncio.Future[Any]) -> None:
        if not arrivals:
            return
        event = arrivals[0].event
        about = {"crosstie.tenant_id": str(event.tenant_id), "crosstie.events": len(arrivals)}
        failed = future.cancelled() or future.exception() is not None
        self._past("commit", event.trace, started, about, failed=failed)

    def _dispatched(self, events: Sequence[Event], started: float) -> None:
        began = time.time_ns() - int((time.perf_counter() - started) * 1e9)
        for event in events:
            self._past("dispatch", event.trace, began, described(event))

    def _past(
        self, name: str, trace: str | None, started: int, about: Mapping[str, Any], *, failed: bool = False
    ) -> None:
        """A span of what is over."""
        span = self.tracer.start_span(name, parent(trace), attributes=about, start_time=started)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end()


class Requests:
    """The web application with a span for each request, whose place in the trace the request then bears itself."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        sent = next((value for name, value in scope["headers"] if name == TRACEPARENT), b"").decode("latin-1")
        with self._tracer.start_as_current_span(method, parent(sent), kind=SpanKind.SERVER) as span:
            others = [pair for pair in scope["headers"] if pair[0] != TRACEPARENT]
            scope["headers"] = [*others, (TRACEPARENT, place(span).encode())]
            try:
                await self._app(scope, receive, send)
            finally:
                # the route, never the path: in a path there may be a token
                route = getattr(scope.get("route"), "path", "unknown")
                status = scope.get("state", {}).get("status") or 500
                span.update_name(f"{method} {route}")
                span.set_attributes(
                    {"http.request.method": method, "http.route": route, "http.response.status_code": status}
                )
                if status >= 500:
                    span.set_status(StatusCode.ERROR)


class Traced:
    """A sink with a span for each attempt; what is sent bears the attempt's place in the trace."""

    def __init__(self, sink: Sink, tracing: Tracing) -> None:
        self.kind = sink.kind
        self.routes = sink.routes
        self._sink = sink
        self._tracer = tracing.tracer

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Make one attempt."""
        about = {
            **described(lease.event),
            "crosstie.delivery_id": str(lease.delivery_id),
            "crosstie.endpoint_id": str(lease.endpoint_id),
            "crosstie.attempt": lease.number,
        }
        name = f"{self.kind} {route.name}".rstrip()
        kind = SpanKind.INTERNAL if self.kind in INNER else SpanKind.PRODUCER
        context = parent(lease.event.trace)
        with self._tracer.start_as_current_span(name, context, kind=kind, attributes=about) as span:
            lease.trace = place(span)
            outcome = await self._sink.send(lease, route)
            if outcome.response_status is not None:
                span.set_attribute("http.response.status_code", outcome.response_status)
            if not outcome.ok:
                span.set_attribute("error.type", outcome.error_code or "failed")
                span.set_status(StatusCode.ERROR)
        return outcome

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """What follows for the sink itself."""
        return await self._sink.settled(connection, results)


def _answered(span: Span, asked: Asked) -> None:
    span.set_attribute("crosstie.tenant_id", str(asked.tenant_id))
    span.set_attribute("crosstie.provider_id", str(asked.provider_id))
    span.set_attribute("crosstie.request", asked.number)
    if not asked.ok:
        span.set_attribute("error.type", asked.outcome)
        span.set_status(StatusCode.ERROR)
    span.end()


def parent(trace: str | None) -> Context:
    """The context that a traceparent stands for; an empty one for none: a trace of its own begins."""
    return W3C.extract({"traceparent": trace} if trace else {}, Context())


def place(span: Span) -> str:
    """The traceparent of a span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def described(event: Event) -> dict[str, Any]:
    """What spans say of an event: nothing of its data."""
    return {
        "crosstie.tenant_id": str(event.tenant_id),
        "crosstie.event_id": event.event_id,
        "crosstie.event_type": event.type,
    }


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
