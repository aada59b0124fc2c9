"""Every service by its name, with the words that its contract is written in."""

from __future__ import annotations

from crosstie.contracts import auth, inventory, iot, logistics, notifications, pos, projects, treasury
from crosstie.declare.event import EventType
from crosstie.declare.service import Operation, Service

__all__ = ["EVENTS", "MODULES", "SERVICES", "EventType", "Operation", "Service"]

MODULES = tuple(
    each.MODULE for each in (treasury, inventory, logistics, pos, iot, projects, notifications, auth)
)  # fmt: skip
SERVICES: dict[str, Service] = {service.name: service for module in MODULES for service in module.services}
EVENTS: dict[str, EventType] = {event.name: event for module in MODULES for event in module.events}
