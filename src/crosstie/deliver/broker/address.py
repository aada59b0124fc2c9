"""One entry of the setting BROKERS: which broker, with which credential, for which tenants and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from uuid import UUID

from crosstie.log.event import DIRECTORY, Actor
from crosstie.log.sink import broker_way

PORTS = {"nats": 4222, "tls": 4222, "amqp": 5672, "amqps": 5671}
#: options that are ours; the rest of the query is the client's
OPTIONS = frozenset(("name", "tenants", "types", "domains", "task", "queue"))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is. `name` holds no credential: it stands in logs, and for the broker as a source of events."""

    scheme: str
    #: for the client, without our options
    url: str = field(repr=False)
    name: str
    #: slugs; None allows every tenant
    tenants: frozenset[str] | None = None
    types: tuple[str, ...] = ("*",)
    #: where the template of what comes in is bare: first words that are read beside those of the catalogue
    domains: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    #: a Celery worker reads it
    celery: bool = False

    def allows(self, slug: str) -> bool:
        """Whether a tenant's events may go there and come from there."""
        return self.tenants is None or slug in self.tenants

    @property
    def actor(self) -> Actor:
        """Who tells what comes from there. A broker of all tenants is the operator's own: it may tell of new ones."""
        return Actor("broker", self.name, frozenset(("*", DIRECTORY) if self.tenants is None else ("*",)))

    def route(self, tenant_id: UUID) -> UUID:
        """The id of a tenant's way to this broker: the same in every process, without a row."""
        return broker_way(tenant_id, self.name)

    @property
    def source(self) -> str:
        """The channel of events that come from there, for deduplication."""
        return f"broker:{self.name}"

    def hide(self, text: str) -> str:
        """A text in which the credential does not stand."""
        url = urlsplit(self.url)
        for part in (url.password, url.username if url.password is None else None):
            if part:
                text = text.replace(part, "***").replace(unquote(part), "***")
        return text


def parse(entry: str) -> Address:
    """An entry of the setting, whose form the settings have checked."""
    url = urlsplit(entry)
    query = parse_qsl(url.query, keep_blank_values=True)
    ours = {name: value for name, value in query if name in OPTIONS}
    rest = urlencode([(name, value) for name, value in query if name not in OPTIONS])
    celery, scheme = url.scheme.startswith("celery+"), url.scheme.removeprefix("celery+")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    plain = f"{url.scheme}://{host}:{url.port or PORTS[scheme]}{url.path.rstrip('/')}"
    return Address(
        scheme=scheme,
        url=url._replace(scheme=scheme, query=rest).geturl(),
        name=ours.pop("name", plain),
        tenants=frozenset(ours.pop("tenants").split(",")) if "tenants" in ours else None,
        types=tuple(ours.pop("types", "*").split(",")),
        domains=tuple(ours.pop("domains").split(",")) if "domains" in ours else (),
        options=ours,
        celery=celery,
    )
