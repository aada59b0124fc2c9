"""The breaker: a service that fails again and again is left in peace, then asked once. Its state is the provider's row.

So there is one for the whole installation, whatever number of processes asks: it counts calls that failed one after the
other, opens at so many, lets one probe through after its rest, and closes with a success.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crosstie.db import session
from crosstie.db.statement import Statement
from crosstie.kit import clock
from crosstie.log.unit import Log
from crosstie.services.peer import Peer, Peers
from crosstie.services.provider import CLOSED, OPENED, tell

#: how precisely the last success is known
NOTED = timedelta(minutes=1)
FAILED = Statement(
    "UPDATE service_providers SET failures = failures + 1, failed_at = clock_timestamp(), reason = $2::text,"
    " probe_until = CASE WHEN $5::bool THEN NULL ELSE probe_until END,"
    " open_until = CASE WHEN $5::bool OR (open_until IS NULL AND failures + 1 >= $3::bigint)"
    " THEN clock_timestamp() + $4::float8 * interval '1 second' ELSE open_until END"
    " WHERE id = $1::uuid AND revision = $6::bigint"
    " RETURNING id, service, failures, reason, failures = $3::bigint AND NOT $5::bool AS opened",
    ["id", "reason", "most", "rest", "probe", "revision"],
)
SUCCEEDED = Statement(
    "WITH former AS (SELECT id, open_until FROM service_providers WHERE id = $1::uuid FOR UPDATE)"
    " UPDATE service_providers p SET failures = 0, open_until = NULL, probe_until = NULL, reason = NULL,"
    " succeeded_at = clock_timestamp() FROM former WHERE p.id = former.id AND p.revision = $2::bigint"
    " RETURNING p.id, p.service, p.failures, p.reason, former.open_until IS NOT NULL AS closed",
    ["id", "revision"],
)
PROBE = (
    "UPDATE service_providers SET probe_until = clock_timestamp() + $2::float8 * interval '1 second' WHERE id = $1"
    " AND open_until <= clock_timestamp() AND coalesce(probe_until, '-infinity') <= clock_timestamp() RETURNING true"
)


class Resting(Exception):
    """The service is left in peace for so many seconds."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = max(1.0, seconds)


@dataclass(frozen=True, slots=True)
class Rule:
    """How many failures open it, for how long, and how long a probe may take."""

    most: int
    rest: float
    probe: float


class Breaker:
    """Says whether a peer may be asked, and notes how that went. One per process, all of one mind."""

    def __init__(self, log: Log, peers: Peers, rule: Rule) -> None:
        self._log = log
        self._peers = peers
        self._rule = rule

    async def enter(self, peer: Peer) -> bool:
        """Whether the call that may begin now is the probe. Raises Resting where none may."""
        if peer.rest is None:
            return False
        if peer.rest <= 0:
            async with session.of_tenant(self._log.app, peer.tenant_id) as connection:
                if await connection.fetchval(PROBE, peer.id, self._rule.probe):
                    return True
        raise Resting(peer.rest if peer.rest > 0 else self._rule.probe, f"{peer.service} is left in peace")

    async def failed(self, peer: Peer, reason: str, *, probe: bool) -> None:
        """A call failed."""
        self._peers.doubt(peer)
        rule = self._rule
        async with self._log.unit(peer.tenant_id) as unit:
            rows = await unit.fetch(
                FAILED, id=peer.id, reason=reason[:300], most=rule.most, rest=rule.rest, probe=probe,
                revision=peer.revision,
            )  # fmt: skip
            if rows and rows[0]["opened"]:
                tell(unit, OPENED, dict(rows[0]))

    async def succeeded(self, peer: Peer) -> None:
        """A call was answered. Where nothing changes by it, nothing is written, but for the time once a minute."""
        if peer.clean and not _stale(peer.succeeded_at):
            return
        self._peers.doubt(peer)
        async with self._log.unit(peer.tenant_id) as unit:
            rows = await unit.fetch(SUCCEEDED, id=peer.id, revision=peer.revision)
            if rows and rows[0]["closed"]:
                tell(unit, CLOSED, dict(rows[0]))
        peer.succeeded_at = clock.now()


def _stale(at: datetime | None) -> bool:
    return at is None or at < clock.now() - NOTED
