"""Health, metrics, version and the API's own descriptions: no credential, no tenant."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request

from crosstie import __version__
from crosstie.api.entry import JSON
from crosstie.api.operation import Handler, Operation
from crosstie.errors import Unavailable
from crosstie.kit import json
from crosstie.log.idempotency import Answer

METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OBJECT: dict[str, Any] = {"type": "object"}


class Figures(Protocol):
    """What the API asks of the metrics."""

    def observe(self, method: str, route: str, status: int, seconds: float) -> None: ...

    async def scrape(self) -> bytes: ...

    async def ready(self) -> str | None: ...


def operations(figures: Figures, documents: dict[str, bytes]) -> list[Operation]:
    """The operations; `documents` has the descriptions by path, and may be filled after this call."""

    async def livez(request: Request) -> Answer:
        return Answer(200, b'{"status":"ok"}', JSON)

    async def readyz(request: Request) -> Answer:
        reason = await figures.ready()
        if reason:
            raise Unavailable(f"Not ready: {reason}.", headers={"Retry-After": "2"})
        return Answer(200, b'{"status":"ok"}', JSON)

    async def metrics(request: Request) -> Answer:
        return Answer(200, await figures.scrape(), {"content-type": METRICS})

    async def version(request: Request) -> Answer:
        return Answer(200, json.dumps({"version": __version__}), JSON)

    async def description(request: Request) -> Answer:
        return Answer(200, documents[request.url.path], JSON)

    status = _object("status")
    return [
        _operation("health.live", "/livez", "Whether the process breathes.", livez, status),
        _operation("health.ready", "/readyz", "Whether the process can commit.", readyz, status),
        _operation("metrics.read", "/metrics", "Figures in OpenMetrics text.", metrics, {"type": "string"}, METRICS),
        _operation("version.read", "/version", "Which version runs.", version, _object("version")),
        _operation("spec.openapi", "/openapi.json", "This description (OpenAPI 3.1).", description, OBJECT),
        _operation("spec.asyncapi", "/asyncapi.json", "Events and channels (AsyncAPI 3.0).", description, OBJECT),
    ]


def _operation(
    id: str, path: str, summary: str, handler: Handler, schema: dict[str, Any], media: str = "application/json"
) -> Operation:
    return Operation(
        id, "GET", path, summary, handler, answers={200: schema}, answer_media=media, tag="system", public=True
    )


def _object(name: str) -> dict[str, Any]:
    return OBJECT | {"required": [name], "properties": {name: {"type": "string"}}}
