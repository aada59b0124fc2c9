"""Modules: a part of the business, as the table of contents lists it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from crosstie.declare.event import EventType
from crosstie.declare.link import Link
from crosstie.declare.resource import Resource
from crosstie.declare.service import Provider, Service


@dataclass(frozen=True, slots=True)
class Projection:
    """A function that writes rows from an event inside the transaction that appends the event.

    `run` is (unit, event, data) and only queues writes: it must neither read nor wait. `blank` is async (unit, subject,
    names): it makes these fields null in what was written for events about a subject.
    """

    events: tuple[str, ...]
    run: Callable[..., None]
    blank: Callable[..., Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """A function that runs after the commit, in a Unit of its own, with exactly one effect per event.

    A Problem that it raises is tried again, as what it waits for may yet come, and is a dead letter in the end.
    """

    name: str
    events: tuple[str, ...]
    run: Callable[..., Awaitable[None]]
    #: one event of a subject after the other: while one is tried again, those behind it wait
    ordered: bool = False
    #: an event that its sender dates before one of the same subject that was taken already is passed over
    latest: bool = False
    #: a test of the event's data; what fails it makes no delivery. None takes all
    passes: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """Nouns, events and reactions that belong together. A module never imports another module."""

    name: str
    doc: str
    resources: tuple[Resource, ...] = ()
    #: tables without a noun
    tables: tuple[sa.Table, ...] = ()
    events: tuple[EventType, ...] = ()
    projections: tuple[Projection, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    links: tuple[Link, ...] = ()
    #: contracts
    services: tuple[Service, ...] = ()
    #: contracts that this module fulfils
    provides: tuple[Provider, ...] = ()
