"""Peers: the remote service that a tenant has for a contract, with its credential and the state of its breaker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from crosstie.db import session
from crosstie.errors import ServiceFault, ServiceUnconfigured
from crosstie.kit.crypto import Unsealable
from crosstie.log.unit import Log
from crosstie.services.provider import TABLE

FIND = "SELECT * FROM service_provider($1, $2)"
#: seconds for which a peer that answers is asked without another look at its row, and peers that are known
FRESH, MOST = 1.0, 10_000


@dataclass(slots=True)
class Peer:
    """A remote service of one tenant, as its row was at the last look."""

    tenant_id: UUID
    service: str
    id: UUID
    revision: int
    base_url: str
    auth: Mapping[str, Any]
    secret: str = field(repr=False)
    failures: int
    #: seconds until it may be asked; None where it is asked
    rest: float | None
    succeeded_at: datetime | None
    #: the clock of this process at that look
    looked: float

    @property
    def name(self) -> str:
        """By which parts of one process know it."""
        return f"{self.id}/{self.revision}"

    @property
    def clean(self) -> bool:
        """Whether nothing speaks against asking it."""
        return self.failures == 0 and self.rest is None


class Peers:
    """Finds peers. One per process."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[tuple[UUID, str], Peer | None] = {}
        self._looked: dict[tuple[UUID, str], float] = {}

    async def find(self, tenant_id: UUID, service: str) -> Peer | None:
        """The remote service of a tenant; None where a module of Crosstie provides it.

        Raises ServiceUnconfigured where nobody does, ServiceFault where its credential does not open.
        """
        key = tenant_id, service
        now = time.monotonic()
        if self._looked.get(key, 0.0) + FRESH > now:
            known = self._known[key]
            if known is None or known.clean:
                return known
        (row,) = await self._log.app.fetch(FIND, tenant_id, service) or (None,)
        found = await self._peer(tenant_id, service, dict(row)) if row and row["mode"] == "remote" else None
        if found is None and service not in self._log.catalogue.providers:
            raise ServiceUnconfigured(
                f"Nobody provides {service} to this tenant: name a remote service at"
                f" /api/v1/service-providers/{service}."
            )
        if len(self._known) >= MOST:
            self._known.clear()
            self._looked.clear()
        self._known[key], self._looked[key] = found, now
        return found

    def doubt(self, peer: Peer) -> None:
        """Look at its row again before it is asked again."""
        self._looked.pop((peer.tenant_id, peer.service), None)

    def resting(self, tenant_id: UUID, service: str) -> bool:
        """Whether a peer is left in peace, as far as is known here."""
        known = self._known.get((tenant_id, service))
        return known is not None and known.rest is not None and known.looked + known.rest > time.monotonic()

    async def _peer(self, tenant_id: UUID, service: str, row: Mapping[str, Any]) -> Peer:
        known = self._known.get((tenant_id, service))
        if known is not None and (known.id, known.revision) == (row["id"], row["revision"]):
            secret = known.secret
        else:
            secret = await self._secret(tenant_id, row)
        return Peer(
            tenant_id=tenant_id,
            service=service,
            id=row["id"],
            revision=row["revision"],
            base_url=row["base_url"].rstrip("/"),
            auth=row["auth"],
            secret=secret,
            failures=row["failures"],
            rest=row["rest"],
            succeeded_at=row["succeeded_at"],
            looked=time.monotonic(),
        )

    async def _secret(self, tenant_id: UUID, row: Mapping[str, Any]) -> str:
        if row["auth_secret"] is None:
            return ""
        place = TABLE, "auth_secret", row["id"]
        try:
            async with session.of_tenant(self._log.app, tenant_id) as connection:
                plain = await self._log.cipher.unseal(connection, tenant_id, row["auth_secret"], *place)
        except Unsealable as error:
            raise ServiceFault("The credential for this service cannot be opened: set it again.") from error
        return plain.decode()
