"""Metrics in OpenMetrics form, and readiness: whether this process can commit."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from crosstie.log.dispatch import Dispatcher
from crosstie.log.ingest import Ingest
from crosstie.log.sink import Result
from crosstie.log.unit import Log

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DEPTH = (
    "SELECT d.*, pg_snapshot_xmax(s)::text::bigint - pg_snapshot_xmin(s)::text::bigint AS behind"
    " FROM queue_depth() AS d, pg_current_snapshot() AS s"
)
#: column of the above → gauge and meaning
DEPTHS = {
    "waiting": ("crosstie_deliveries_waiting", "Deliveries that wait for an attempt."),
    "leased": ("crosstie_deliveries_leased", "Deliveries that a worker holds."),
    "oldest": ("crosstie_oldest_due_seconds", "How long the oldest due delivery has waited."),
    "undispatched": ("crosstie_events_undispatched", "Events that wait for the dispatcher."),
    "behind": ("crosstie_log_horizon_transactions", "Transactions that readers of the log wait for."),
}


class Metrics(Collector):
    """The figures of one process."""

    def __init__(self, log: Log, ingest: Ingest, dispatcher: Dispatcher) -> None:
        self._log = log
        self._ingest = ingest
        self._dispatcher = dispatcher
        self._depths: dict[str, float] = {}
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "crosstie_http_request_seconds",
            "Time of requests by route.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._known: dict[tuple[str, str, int], Histogram] = {}
        self._attempts = Histogram(
            "crosstie_attempt_seconds",
            "Time of attempts by kind of sink and outcome: delivered, or why not.",
            ("sink", "outcome"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._errors = Counter("crosstie_scrape_errors", "Scrapes without the database.", registry=self.registry)
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request."""
        key = (method, route, status)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = self._requests.labels(method, route, str(status))
        child.observe(seconds)

    def attempted(self, result: Result) -> None:
        """One recorded attempt."""
        outcome = "delivered" if result.outcome.ok else result.outcome.error_code or "failed"
        self._attempts.labels(result.lease.sink, outcome).observe(result.outcome.duration_ms / 1000)

    def collect(self) -> Iterator[Metric]:
        """What other parts of the process count, and what the database said last."""
        appended = self._log.appended + self._ingest.appended
        yield CounterMetricFamily("crosstie_events_appended", "Events committed by this process.", appended)
        dispatched = self._dispatcher.dispatched
        yield CounterMetricFamily("crosstie_events_dispatched", "Events taken from the outbox.", dispatched)
        for name, (metric, words) in DEPTHS.items():
            if name in self._depths:
                yield GaugeMetricFamily(metric, words, self._depths[name])
        for role, pool in (("app", self._log.app), ("worker", self._log.worker)):
            words = f"Database connections of the {role} role: open, and idle among them."
            connections = GaugeMetricFamily(f"crosstie_db_pool_{role}", words, labels=("state",))
            connections.add_metric(("open",), pool.get_size())
            connections.add_metric(("idle",), pool.get_idle_size())
            yield connections

    async def scrape(self) -> bytes:
        """All figures in OpenMetrics text."""
        try:
            (row,) = await self._log.worker.fetch(DEPTH)
            self._depths = {name: float(row[name]) for name in DEPTHS}
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._depths = {}  # an old figure would look like a new one
            self._errors.inc()
        return bytes(generate_latest(self.registry))  # type: ignore[no-untyped-call]  # untyped in the library

    async def ready(self) -> str | None:
        """None where this process can commit, else why not."""
        try:
            async with self._log.app.acquire(timeout=2) as connection:
                if await connection.fetchval("SELECT pg_is_in_recovery()", timeout=2):
                    return "the database is a standby or still recovering"
                await connection.execute("BEGIN; SELECT pg_current_xact_id(); COMMIT", timeout=2)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            return f"the database cannot be reached ({type(error).__name__})"
        return None
