"""What programs look for at addresses that every site has: whom to tell of a hole, and which APIs are here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request

from crosstie.api.operation import Handler
from crosstie.kit import clock, json
from crosstie.log.idempotency import Answer

#: RFC 9116 wants an end within a year, so that nobody trusts a forgotten file
VALID = timedelta(days=180)
TEXT = {"content-type": "text/plain; charset=utf-8", "cache-control": "public, max-age=86400"}
CATALOG = "/.well-known/api-catalog"
LINKS = {
    "content-type": 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"',
    "cache-control": "public, max-age=3600",
    "access-control-allow-origin": "*",
}


def security(address: str, contact: str) -> str:
    """`security.txt` (RFC 9116)."""
    policy = f"{address}/docs/how-to/report-a-hole"
    end = (clock.now() + VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {contact or policy}",
        f"Expires: {end:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en, ar",
        f"Canonical: {address}/.well-known/security.txt",
        f"Policy: {policy}",
    ]
    return "\n".join(lines) + "\n"


def catalog(address: str) -> dict[str, Any]:
    """The API catalogue (RFC 9727): each API with its descriptions, its documentation and its health."""
    documented = [{"href": f"{address}/reference", "type": "text/html"}]

    def described(name: str) -> list[dict[str, str]]:
        return [{"href": f"{address}/{name}", "type": "application/json"}]

    rest = {
        "anchor": f"{address}/api/v1",
        "service-desc": described("openapi.json"),
        "service-doc": documented,
        "service-meta": described(".well-known/oauth-protected-resource"),
        "status": described("readyz"),
    }
    events = {
        "anchor": f"{address}/api/v1/events",
        "service-desc": described("asyncapi.json"),
        "service-doc": [{"href": f"{address}/reference/events", "type": "text/html"}],
    }
    return {"linkset": [rest, events]}


def routes(address: str, contact: str) -> list[tuple[str, str, Handler]]:
    """Path, method, handler."""
    body = json.dumps(catalog(address))
    headers = LINKS | {"link": f'<{address}{CATALOG}>; rel="api-catalog"'}

    async def tell(request: Request) -> Answer:
        return Answer(200, security(address, contact).encode(), TEXT)

    async def apis(request: Request) -> Answer:
        return Answer(200, body, headers)

    return [("/.well-known/security.txt", "GET", tell), (CATALOG, "GET", apis)]
