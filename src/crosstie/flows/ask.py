"""How a chain asks a service: only where the tenant has one, and under a key that follows from the event.

A reaction runs once per event of the log, and writes its calls with the mark of it. The same event that came by two
ways (an ERP that posts and publishes it) stands twice in the log: then the service finds one key, and does it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid5

import sqlalchemy as sa

from crosstie.access.tenant import Tenant
from crosstie.errors import Fault, Invalid
from crosstie.log.event import Event
from crosstie.log.unit import Unit
from crosstie.services.provider import ServiceProvider

Given = Mapping[str, Any]
PROVIDED = sa.select(ServiceProvider.id).where(ServiceProvider.service == sa.bindparam("service", type_=sa.Text()))


async def provided(unit: Unit, service: str) -> bool:
    """Whether the tenant has the service: a provider that it named, or a module of Crosstie."""
    return service in unit.log.catalogue.providers or bool(await unit.select(PROVIDED, service=service))


async def ask(unit: Unit, event: Event, operation: str, given: Given, part: str = "") -> None:
    """Have a service asked for what follows from an event; `part` tells several calls of one event apart.

    What is null is left out.
    """
    key = uuid5(unit.tenant_id, f"{event.event_id} {operation} {part}")
    known = {name: value for name, value in given.items() if value is not None}
    about = (event.subject_type, event.subject_id) if event.subject_type and event.subject_id else None
    await unit.request(operation, known, about, key=str(key))


def entries(data: Given, name: str) -> list[Given]:
    """The objects that an event lists; none where it does not list any. Raises Invalid for anything else."""
    found = data.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise Invalid(f"{name} is no list of objects.", errors=[Fault(f"/{name}", "type", "must be a list of objects")])
    return found


async def currency(unit: Unit, data: Given) -> str:
    """The currency of an event, else that of the tenant's books."""
    if data.get("currency"):
        return str(data["currency"])
    return (await unit.get(Tenant, unit.tenant_id)).currency
