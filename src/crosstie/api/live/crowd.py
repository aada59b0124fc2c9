"""The crowd: how many are connected to one process, how many may be, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, get_args

from crosstie.access.token import Grant
from crosstie.errors import TooManyRequests

#: what a connection is
Kind = Literal["websocket", "sse"]


class Limits(Protocol):
    """How many may be connected to one process."""

    @property
    def stream_connections(self) -> int: ...

    @property
    def stream_connections_tenant(self) -> int: ...

    @property
    def stream_connections_credential(self) -> int: ...


class Crowd:
    """The connections of one process, counted."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: connections by whom they count for
        self._parties: Counter[object] = Counter()
        #: connections now, and frames sent so far
        self.connections: dict[str, int] = dict.fromkeys(get_args(Kind), 0)
        self.frames: dict[str, int] = dict.fromkeys(get_args(Kind), 0)
        #: connections that were sent away or not let in, by wire and reason
        self.away: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def counted(self, grant: Grant, wire: Kind) -> Iterator[None]:
        """Count a connection as long as it lasts. Raises TooManyRequests where somebody has enough."""
        limits = self._limits
        parties: list[object] = [None, grant.tenant_id, (grant.tenant_id, grant.actor.principal)]
        most = (limits.stream_connections, limits.stream_connections_tenant, limits.stream_connections_credential)
        for party, limit in zip(parties, most, strict=True):
            if self._parties[party] >= limit:
                self.away[wire, "limit"] += 1
                raise TooManyRequests(f"At most {limit} live connections at once.", headers={"Retry-After": "30"})
        self._parties.update(parties)
        self.connections[wire] += 1
        try:
            yield
        finally:
            self.connections[wire] -= 1
            self._parties.subtract(parties)
            self._parties += Counter()  # what is down to zero is forgotten
