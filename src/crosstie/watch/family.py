"""Every metric, declared once: the scrape, the reference page and the test of the dashboard follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: seconds, five to a decade: a quantile read from them is right to a part that a chart does not show
BUCKETS = (
    0.001, 0.0016, 0.0025, 0.004, 0.0063, 0.01, 0.016, 0.025, 0.04, 0.063, 0.1, 0.16, 0.25, 0.4, 0.63, 1.0, 1.6, 2.5,
    4.0, 6.3, 10.0, 16.0, 30.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. What is `shared` is the installation's, out of the database; the rest bears the label `process`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    labels: tuple[str, ...] = ()
    shared: bool = False


REQUESTS = Family(
    "crosstie_http_request_seconds",
    "histogram",
    "Time of requests by route, until they were answered.",
    ("method", "route", "status"),
)
ATTEMPTS = Family(
    "crosstie_attempt_seconds",
    "histogram",
    "Time of attempts by kind of sink, integration (a broker, a reaction, or webhook), and outcome: delivered"
    " or why not.",
    ("sink", "integration", "outcome"),
)
ENDED = Family(
    "crosstie_deliveries_ended",
    "counter",
    "Deliveries that ended: delivered or dead.",
    ("sink", "integration", "status"),
)
CALLS = Family(
    "crosstie_call_seconds",
    "histogram",
    "Time of calls to services by outcome: ok, or why not; refused by the breaker are those that were not sent.",
    ("service", "outcome"),
)
CONNECTED = Family("crosstie_live_connections", "gauge", "Live connections: WebSockets, and event streams.", ("wire",))
FRAMES = Family("crosstie_live_frames", "counter", "Frames that live connections took.", ("wire",))
AWAY = Family(
    "crosstie_live_sent_away",
    "counter",
    "Live connections that were sent away or not let in: over the limit, restart of the process, silent (it answered no"
    " ping), or the code of the problem that it was told.",
    ("wire", "reason"),
)
CAME = Family("crosstie_broker_messages", "counter", "Messages that came in from a broker.", ("broker",))
KNOCKED = Family(
    "crosstie_inbound_requests",
    "counter",
    "Requests at inbound sources by what became of them; pending ones are counted once more when that is known.",
    ("dialect", "status"),
)
ERRORS = Family("crosstie_scrape_errors", "counter", "Scrapes for which the database gave nothing.")
APPENDED = Family(
    "crosstie_events_appended", "counter", "Events committed: by changes here, or as they came in.", ("way",)
)
DISPATCHED = Family("crosstie_events_dispatched", "counter", "Events taken from the outbox.")
CONNECTIONS = Family(
    "crosstie_db_connections", "gauge", "Database connections: open, idle among them, and the most.", ("role", "state")
)
LINES = Family("crosstie_line_up", "gauge", "Whether this process has a line to a broker or service.", ("kind", "name"))
CPU = Family("process_cpu_seconds", "counter", "User and system CPU time spent, in seconds.")
RESIDENT = Family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
VIRTUAL = Family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.")
FILES = Family("process_open_fds", "gauge", "Open file descriptors.")
MOST_FILES = Family("process_max_fds", "gauge", "Open file descriptors that are allowed.")
STARTED = Family("process_start_time_seconds", "gauge", "Start of the process since the Unix epoch, in seconds.")

WAITING = Family("crosstie_deliveries_waiting", "gauge", "Deliveries that wait for an attempt.", shared=True)
LEASED = Family("crosstie_deliveries_leased", "gauge", "Deliveries that a worker holds.", shared=True)
OLDEST = Family("crosstie_oldest_due_seconds", "gauge", "How long the oldest due delivery has waited.", shared=True)
UNDISPATCHED = Family("crosstie_events_undispatched", "gauge", "Events that wait for the dispatcher.", shared=True)
BEHIND = Family(
    "crosstie_log_horizon_transactions", "gauge", "Transactions that readers of the log wait for.", shared=True
)
LETTERS = Family("crosstie_dead_letters", "gauge", "Dead letters: dead, or parked.", ("status",), shared=True)
INTEGRATIONS = Family(
    "crosstie_integrations", "gauge", "Integrations of all tenants by how they are.", ("kind", "status"), shared=True
)
FIRING = Family(
    "crosstie_alerts_firing", "gauge", "Alerts of all tenants that fire.", ("kind", "severity"), shared=True
)
BREAKERS = Family(
    "crosstie_breakers", "gauge", "Breakers of remote services by state, over all tenants.", ("service", "state"),
    shared=True,
)  # fmt: skip
UP = Family("crosstie_processes", "gauge", "Processes that live.", shared=True)

FAMILIES = (
    REQUESTS, ATTEMPTS, ENDED, CALLS, CONNECTED, FRAMES, AWAY, CAME, KNOCKED, APPENDED, DISPATCHED, WAITING, LEASED,
    OLDEST, UNDISPATCHED, BEHIND, LETTERS, INTEGRATIONS, FIRING, BREAKERS, LINES, CONNECTIONS, UP, ERRORS, CPU,
    RESIDENT, VIRTUAL, FILES, MOST_FILES, STARTED,
)  # fmt: skip
