"""The parts of notifications that run, from the settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol

import asyncpg

from crosstie.kit.blob import Blobs
from crosstie.kit.egress import Guard
from crosstie.kit.fetch import Fetcher
from crosstie.kit.resolver import Resolver
from crosstie.kit.trust import trusted
from crosstie.log.forget import Forgetting
from crosstie.log.sink import Sink
from crosstie.log.unit import Log
from crosstie.modules.notifications import follow
from crosstie.modules.notifications.follow import Rules
from crosstie.modules.notifications.provider import Means
from crosstie.modules.notifications.sink import Messages
from crosstie.modules.notifications.smtp import Server
from crosstie.modules.notifications.watched import Observe


class Terms(follow.Terms, Protocol):
    """What is asked of the settings."""

    @property
    def smtp_url(self) -> str: ...

    @property
    def mail_from(self) -> str: ...

    @property
    def smtp_ca_file(self) -> Path | None: ...

    @property
    def retention_messages(self) -> int:
        """Days for which messages that ended are kept."""
        ...


def sinks(
    log: Log,
    terms: Terms,
    fetcher: Fetcher,
    guard: Guard,
    resolver: Resolver,
    blobs: Blobs,
    observe: Observe,
) -> tuple[Sink, ...]:
    """The sink by which events become messages, and the one by which messages leave; `observe` hears of providers."""
    house = Server.of(terms.smtp_url, terms.mail_from) if terms.smtp_url else None
    trust = trusted(ca=terms.smtp_ca_file)
    means = Means(fetcher, guard, resolver, trust, blobs, observe, house)
    return Rules(log, terms), Messages(log, means, terms)


def forgetting(pool: asyncpg.Pool, terms: Terms) -> Forgetting:
    """Lets go of messages that are past their time."""
    return Forgetting(pool, "messages_forget", timedelta(days=terms.retention_messages))
