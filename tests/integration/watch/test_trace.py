"""Traces, judged by a collector of our own that speaks OTLP: from the request through the event into each attempt."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from crosstie.app import opened
from tests.integration.broker.conftest import Hub
from tests.integration.broker.peer import NatsPeer, RabbitPeer, of
from tests.integration.broker.peer import Peer as BrokerPeer
from tests.integration.services.conftest import INVOICE, WHO, provide
from tests.integration.watch.test_alerts import until
from tests.parts import nats, rabbit
from tests.parts.peer import Peer as ServicePeer
from tests.parts.peer import peer as serving
from tests.receiver import Receiver
from tests.stage import Stage, staged

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.url = ""

    def take(self, body: bytes) -> None:
        """One export."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def of(self, trace: str) -> dict[str, list[Any]]:
        """The spans of a trace by name."""
        found: dict[str, list[Any]] = {}
        for span in list(self.spans):
            if span.trace_id.hex() == trace:
                found.setdefault(span.name, []).append(span)
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield collector
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector for the whole file."""
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def lines(collector: Collector) -> Iterator[Hub]:
    """An installation whose environment names the collector, and its brokers."""
    wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    word = f"t{secrets.token_hex(4)}"
    names = {"broker_out": f"{word}.out.{{event_type}}", "broker_in": f"{word}.in.{{event_type}}"}
    with nats.served() as server, rabbit.some() as address, mock.patch.dict(os.environ, wanted):
        with staged(brokers=(server.url, address), **names) as found:
            yield Hub(found, server.url, address, word)
        asyncio.run(rabbit.swept(address, word))


@pytest.fixture(scope="module")
def traced(lines: Hub) -> Stage:
    """The installation alone."""
    return lines.stage


@pytest.fixture
async def peer() -> AsyncIterator[ServicePeer]:
    """A remote service."""
    async with serving() as found:
        yield found


def begun() -> tuple[str, dict[str, str]]:
    """A trace of one test, and the header that continues it."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{SPAN}-01"}


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


async def test_a_trace_leads_from_the_request_into_each_attempt(
    traced: Stage, collector: Collector, receiver: Receiver
) -> None:
    answers = [503, 204]
    receiver.answer = lambda received: web.Response(status=answers.pop(0) if answers else 204)
    tenant = await traced.tenant()
    async with tenant.client() as client:
        body = {"url": receiver.url, "event_types": ["client.*"], "retry_schedule": [1]}
        await client.post("/api/v1/webhook-endpoints", json=body)
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        answer = await client.post("/api/v1/clients", json={"name": "Traced"}, headers=headers)
        assert answer.status_code == 201
        await receiver.wait(2, "client.created")

    async def whole() -> dict[str, list[Any]] | None:
        found = collector.of(TRACE)
        return found if len(found.get("webhook", ())) == 2 else None

    found = await until(whole, "both attempts are told")
    others = {name for name in found if not name.startswith("broker ")}
    assert others == {"POST /api/v1/clients", "commit", "dispatch", "webhook"}
    (request,) = found["POST /api/v1/clients"]
    assert request.parent_span_id.hex() == SPAN
    assert attributes(request)["http.response.status_code"] == 201
    for name in ("commit", "dispatch", "webhook"):
        assert {span.parent_span_id for span in found[name]} == {request.span_id}, name
    assert "client.created" in str(found["commit"][0])
    first, second = sorted(found["webhook"], key=lambda span: int(span.start_time_unix_nano))
    assert [attributes(span)["crosstie.attempt"] for span in (first, second)] == [1, 2]
    assert (first.status.code, second.status.code) == (2, 0)
    # what the receiver is told is the attempt's own place, and the same trace
    places = [received.headers["traceparent"] for received in receiver.got]
    assert places == [f"00-{TRACE}-{span.span_id.hex()}-01" for span in (first, second)]
    assert collector.services == {"crosstie"}


async def named(collector: Collector, trace: str, *names: str) -> dict[str, list[Any]]:
    """The spans of a trace by their names, once those with these names are told of."""

    async def whole() -> dict[str, list[Any]] | None:
        found = collector.of(trace)
        return found if set(names) <= set(found) else None

    found: dict[str, list[Any]] = await until(whole, f"{names} are told of")
    return found


async def test_events_that_come_in_begin_a_trace_where_none_is_sent(
    traced: Stage, collector: Collector, receiver: Receiver
) -> None:
    tenant = await traced.tenant()
    async with tenant.client() as client:
        await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["*"]})
        data = {"event_id": "e1", "event_type": "iot.alert.triggered"}
        example = (await client.get("/api/v1/event-types?limit=500")).json()["data"]
        sample = next(each["example"] for each in example if each["name"] == data["event_type"])
        answer = await client.post("/api/v1/events", json={**data, "data": sample["data"]})
        assert answer.status_code == 202, answer.text
        (received,) = await receiver.wait(1, data["event_type"])
    trace = received.headers["traceparent"].split("-")[1]

    found = await named(collector, trace, "POST /api/v1/events", "commit", "webhook")
    (request,) = found["POST /api/v1/events"]
    assert not request.parent_span_id
    assert found["webhook"][0].parent_span_id == found["commit"][0].parent_span_id == request.span_id


@pytest.mark.parametrize("kind", ["nats", "amqp"])
async def test_a_trace_leads_to_a_broker(lines: Hub, collector: Collector, kind: str) -> None:
    peer: BrokerPeer = NatsPeer() if kind == "nats" else RabbitPeer()
    await peer.open(lines.nats if kind == "nats" else lines.rabbit, lines.word)
    tenant = await lines.stage.tenant()
    trace, headers = begun()
    async with tenant.client() as client:
        await client.post("/api/v1/clients", json={"name": "Traced"}, headers=headers)
        while (message := (await of(peer, tenant, 1))[0]).topic != "client.created":
            pass  # what came before it
    await peer.close()

    async def whole() -> dict[str, list[Any]] | None:
        found = collector.of(trace)
        return found if len([name for name in found if name.startswith("broker ")]) == 2 else None

    found = await until(whole, "both brokers are told of")
    (request,) = found["POST /api/v1/clients"]
    (span,) = next(spans for name, spans in found.items() if name.startswith(f"broker {kind}"))
    assert span.parent_span_id == request.span_id
    assert message.headers["traceparent"] == f"00-{trace}-{span.span_id.hex()}-01"


async def test_a_trace_leads_to_a_remote_service_that_a_module_asks(
    traced: Stage, collector: Collector, peer: ServicePeer
) -> None:
    tenant = await traced.tenant()
    trace, headers = begun()
    async with tenant.client() as client:
        await provide(client, peer, "treasury")
    await peer.fail("500")
    async with (
        opened(traced.settings, traced.dsns, work=False, name="test") as process,
        process.log.unit(tenant.id, WHO, trace=headers["traceparent"]) as unit,
    ):
        await unit.request("treasury.create_invoice", INVOICE)

    found = await named(collector, trace, "service", "treasury.create_invoice")
    (attempt,) = found["service"]
    assert attempt.parent_span_id.hex() == SPAN
    first, second = sorted(found["treasury.create_invoice"], key=lambda span: int(span.start_time_unix_nano))
    assert first.parent_span_id == second.parent_span_id == attempt.span_id
    assert (first.kind, first.status.code, second.status.code) == (3, 2, 0)
    assert (attributes(first)["error.type"], attributes(second)["crosstie.request"]) == ("http_500", 2)
    places = [seen["headers"]["traceparent"] for seen in await peer.seen()]
    assert places == [f"00-{trace}-{span.span_id.hex()}-01" for span in (first, second)]


async def test_a_trace_leads_to_a_remote_service_that_a_caller_asks(
    traced: Stage, collector: Collector, peer: ServicePeer
) -> None:
    tenant = await traced.tenant()
    trace, headers = begun()
    async with tenant.client() as client:
        await provide(client, peer, "treasury")
        answer = await client.post("/api/v1/treasury/invoices", json=INVOICE, headers=headers)
        assert answer.status_code == 201, answer.text

    found = await named(collector, trace, "POST /api/v1/treasury/invoices", "treasury.create_invoice")
    (request,), (span,) = found["POST /api/v1/treasury/invoices"], found["treasury.create_invoice"]
    assert (request.parent_span_id.hex(), span.parent_span_id) == (SPAN, request.span_id)
    assert [seen["headers"]["traceparent"] for seen in await peer.seen()] == [f"00-{trace}-{span.span_id.hex()}-01"]


async def test_spans_hold_no_path_no_body_and_no_secret(traced: Stage, collector: Collector) -> None:
    tenant = await traced.tenant()
    async with tenant.client() as client:
        headers = {"traceparent": f"00-{TRACE[::-1]}-{SPAN}-01"}
        await client.post("/api/v1/clients?x=leak-1", json={"name": "leak-2"}, headers=headers)
        await client.get("/hooks/leak-3", headers=headers)

    async def told() -> bool:
        return len(collector.of(TRACE[::-1])) >= 2

    await until(told, "both requests are told")
    everything = str(collector.spans)
    assert "leak-" not in everything
    assert tenant.key not in everything


def test_nothing_is_loaded_where_nobody_asks() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    words = "import sys, crosstie.app; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    told = subprocess.run([sys.executable, "-c", words], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
