"""The web application: every operation as a route, behind the edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from crosstie.access.limit import Meter
from crosstie.access.oauth.ask import Asks
from crosstie.access.oauth.end import Ends
from crosstie.access.oauth.flow import Flows
from crosstie.access.session import Sessions
from crosstie.access.ticket import Tickets
from crosstie.access.token import Grant, Tokens
from crosstie.api import (
    asyncapi,
    derive,
    directory,
    download,
    events,
    gateway,
    hook,
    link,
    openapi,
    plain,
    report,
    wellknown,
)
from crosstie.api.cors import Cors
from crosstie.api.edge import Edge, Endpoint
from crosstie.api.entry import Api
from crosstie.api.gate import POLICIES, Gate
from crosstie.api.gateway import Services
from crosstie.api.live import stream
from crosstie.api.live.entrance import Entrance
from crosstie.api.live.hub import Hub
from crosstie.api.live.socket import Socket
from crosstie.api.live.stream import Stream
from crosstie.api.manual import site
from crosstie.api.oauth import authorize, discovery, endpoint
from crosstie.api.operation import Handler, Operation
from crosstie.api.peer import Proxies
from crosstie.api.plain import Figures
from crosstie.api.sign import pages
from crosstie.api.sign.door import Door
from crosstie.api.sign.form import Cookies
from crosstie.api.upload import Uploads
from crosstie.errors import MethodNotAllowed
from crosstie.kit import json
from crosstie.log.idempotency import Answer
from crosstie.log.ingest import Ingest
from crosstie.log.registry import Registry
from crosstie.log.unit import Log


class Terms(Protocol):
    """What the API asks of the settings."""

    @property
    def public_url(self) -> str: ...

    @property
    def trusted_proxies(self) -> Sequence[str]: ...

    @property
    def cors_origins(self) -> Sequence[str]: ...

    @property
    def cors_credentials(self) -> bool: ...

    @property
    def rate_limit(self) -> int: ...

    @property
    def rate_limit_events(self) -> int: ...

    @property
    def rate_limit_tenant(self) -> int: ...

    @property
    def rate_limit_guests(self) -> int: ...

    @property
    def rate_limit_tokens(self) -> int: ...

    @property
    def session_idle(self) -> int: ...

    @property
    def session_longest(self) -> int: ...

    @property
    def security_contact(self) -> str: ...


@dataclass(slots=True)
class Parts:
    """What the operations of the API are made of."""

    api: Api
    ingest: Ingest
    registry: Registry
    uploads: Uploads
    figures: Figures
    stream: Stream
    services: Services
    #: the API's own descriptions, by path
    documents: dict[str, bytes] = field(default_factory=dict)


def operations(parts: Parts) -> list[Operation]:
    """Every operation of the API."""
    api = parts.api
    return [
        *events.operations(events.Events(api, parts.ingest, parts.registry)),
        *stream.operations(parts.stream),
        *derive.nouns(api.log.catalogue, api),
        *directory.operations(api),
        *link.operations(api),
        *download.operations(api, parts.uploads),
        *report.operations(api),
        *gateway.operations(api, parts.services),
        *plain.operations(parts.figures, parts.documents),
    ]


def build(
    log: Log,
    ingest: Ingest,
    tokens: Tokens,
    figures: Figures,
    terms: Terms,
    uploads: Uploads,
    flows: Flows,
    hub: Hub,
    hooks: hook.Door,
    services: Services,
) -> Edge:
    """The web application of one process."""
    proxies = Proxies(terms.trusted_proxies)

    async def authenticate(request: Request) -> Grant:
        return await gate.admit(tokens, request)

    address = terms.public_url
    docs = f"{address}/docs/errors"
    meter = Meter(log.app, {name: getattr(terms, f"rate_limit{suffix}") for name, suffix in POLICIES.items()})
    gate = Gate(meter, proxies.client)
    tokens.refuse = gate.refuse
    api = Api(log, docs, authenticate, meter, address, dict(log.catalogue.resources))
    cors = Cors(terms.cors_origins, credentials=terms.cors_credentials)
    entrance = Entrance(hub, gate, tokens, Tickets(log.app, log.cipher), meter, cors, address)
    parts = Parts(api, ingest, Registry(log.app), uploads, figures, Stream(api, entrance), services)
    known = operations(parts)
    api.names = {(o.path, o.method): o.id for o in known}
    description = openapi.document(known, log.catalogue, address)
    parts.documents["/openapi.json"] = json.dumps(description)
    parts.documents["/asyncapi.json"] = json.dumps(asyncapi.document(log.catalogue, address))
    named = [(o.path, o.method, o.handler) for o in known if not o.public or o.tag == "system"]
    named += gateway.aliases(known)
    handlers = gate.guests((o.path, o.method, o.handler) for o in known if o.public and o.tag != "system")
    sessions = Sessions(log, terms.session_idle, terms.session_longest)
    door = Door(sessions, Cookies(log.cipher, address), proxies.client)
    handlers += gate.guests([*link.pages(api), *pages.routes(door), *download.routes(api, uploads)])
    handlers += hook.routes(hooks, gate)
    handlers += gate.guests(site.routes(description, log.catalogue.events))
    handlers += gate.guests(wellknown.routes(address, terms.security_contact))
    handlers += gate.guests(endpoint.routes(endpoint.Endpoints(api, flows, Ends(log, flows.own))), "tokens")
    handlers += gate.guests(discovery.routes(discovery.Documents(api, flows.own.ring)))
    handlers += gate.guests(authorize.routes(authorize.Consent(door, Asks(flows))))
    handlers += stream.routes(parts.stream)
    return Edge(_routes([*named, *handlers]), docs, figures.observe, cors, proxies.client, Socket(entrance))


class Methods:
    """The handlers of one path, by method: one route per path, so that 405 names every allowed method."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints
        self._allow = {"Allow": ", ".join(sorted(endpoints))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(headers=self._allow)
        await endpoint(scope, receive, send)


def _routes(handlers: Iterable[tuple[str, str, Handler]]) -> list[Route]:
    """Routes of (path, method, handler), fixed paths before those with a parameter: `/jobs/bulk` is no id."""
    found: dict[str, dict[str, Endpoint]] = {}
    for path, method, handler in handlers:
        by_method = found.setdefault(path, {})
        by_method[method] = Endpoint(handler)
        if method == "GET":
            by_method["HEAD"] = by_method[method]
    for by_method in found.values():
        by_method["OPTIONS"] = Endpoint(_allowing([*by_method, "OPTIONS"]))
    paths = sorted(found, key=lambda path: path.count("{"))
    return [Route(path, Methods(found[path])) for path in paths]


def _allowing(methods: Iterable[str]) -> Handler:
    """What OPTIONS answers on a path."""
    allow = {"allow": ", ".join(sorted(methods))}

    async def options(request: Request) -> Answer:
        return Answer(204, b"", allow)

    return options
