"""What the log itself declares: deliveries, dead letters, and the events about them."""

from __future__ import annotations

from crosstie.declare.module import Module
from crosstie.log import tables
from crosstie.log.call import CALLS
from crosstie.log.delivery import DELIVERIES
from crosstie.log.hold import LEGAL_HOLDS
from crosstie.log.letter import DEAD_LETTERS, EVENTS
from crosstie.log.loose import loose_files
from crosstie.log.operation import OPERATIONS
from crosstie.log.registry import EVENT_TYPES

MODULE = Module(
    "log",
    "The event log, deliveries and dead letters.",
    resources=(DELIVERIES, DEAD_LETTERS, OPERATIONS, CALLS, EVENT_TYPES, LEGAL_HOLDS),
    tables=(
        tables.events,
        tables.inbox,
        tables.counters,
        tables.outbox,
        tables.places,
        tables.route_versions,
        tables.attempts,
        tables.idempotency,
        tables.search_tokens,
        tables.rates,
        tables.workers,
        tables.installation,
        loose_files,
    ),
    events=EVENTS,
)
