"""The parts of the door, put together for one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from crosstie.access.limit import Meter
from crosstie.access.vault import Vault
from crosstie.db.seat import Seat
from crosstie.deliver.inbound.confirm import Asker
from crosstie.deliver.inbound.directory import Sources
from crosstie.deliver.inbound.door import REFUSED, Door
from crosstie.deliver.inbound.keep import Keeper, Observe
from crosstie.deliver.inbound.later import Later, Terms
from crosstie.deliver.inbound.reading import Reader
from crosstie.deliver.inbound.reply import Replies
from crosstie.kit.fetch import Fetcher


class Settings(Protocol):
    """What inbound asks of the settings."""

    @property
    def public_url(self) -> str: ...

    @property
    def rate_limit_hooks(self) -> int: ...

    @property
    def retry_schedule(self) -> Sequence[float]: ...

    @property
    def retention_deliveries(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Inbound:
    """What takes requests, and what looks at them again."""

    door: Door
    later: Later


def build(
    app: asyncpg.Pool,
    worker: asyncpg.Pool,
    vault: Vault,
    reader: Reader,
    seat: Seat,
    fetcher: Fetcher,
    terms: Settings,
    observe: Observe,
) -> Inbound:
    """The parts of one process."""
    sources = Sources(app, vault)
    meter = Meter(app, {"hooks": terms.rate_limit_hooks, "refused": REFUSED})
    replies = Replies(worker, vault, terms.public_url)
    door = Door(sources, reader, Keeper(seat, observe), meter, replies, terms.public_url)
    kept = Terms(terms.retry_schedule, terms.retention_deliveries)
    later = Later(worker, sources, reader, Asker(fetcher), replies, kept, observe)
    return Inbound(door, later)
