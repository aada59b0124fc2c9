"""From the settings to brokers: which kind of line each entry asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from crosstie.deliver.broker.address import Address, parse
from crosstie.deliver.broker.broker import Broker
from crosstie.deliver.broker.celery import CeleryLine
from crosstie.deliver.broker.line import Line, Names
from crosstie.deliver.broker.nats import NatsLine
from crosstie.deliver.broker.rabbit import RabbitLine


class Terms(Protocol):
    """What is asked of the settings."""

    @property
    def brokers(self) -> tuple[str, ...]: ...

    @property
    def broker_out(self) -> str: ...

    @property
    def broker_in(self) -> str: ...

    @property
    def public_url(self) -> str: ...


def build(terms: Terms, types: Iterable[str]) -> list[Broker]:
    """The brokers of the settings, at rest. `types` are those that outside systems may send."""
    known = names(terms, types)
    return [Broker(address, line(address, known)) for address in map(parse, terms.brokers)]


def names(terms: Terms, types: Iterable[str]) -> Names:
    """What things are called on brokers."""
    domains = tuple(sorted({name.partition(".")[0] for name in types}))
    return Names(terms.broker_out, terms.broker_in, terms.public_url, domains)


def line(address: Address, names: Names, *, reads: bool = True) -> Line:
    """The line that an address asks for."""
    if address.celery:
        return CeleryLine(address, names)
    names = replace(names, domains=tuple(sorted({*names.domains, *address.domains})))
    kind = RabbitLine if address.scheme.startswith("amqp") else NatsLine
    return kind(address, names, reads=reads)
