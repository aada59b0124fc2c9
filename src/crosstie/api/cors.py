"""Cross-origin requests: refused by browsers unless the operator names an origin (CROSSTIE_CORS_ORIGINS)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SHOWN = (
    "ETag, Link, Location, Retry-After, X-Request-Id, Idempotent-Replayed, RateLimit, RateLimit-Policy, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
TAKEN = "Authorization, X-API-Key, X-Tenant-ID, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
SECONDS = "600"


class Cors:
    """Which origins may read answers."""

    def __init__(self, origins: Iterable[str], *, credentials: bool) -> None:
        self._origins = frozenset(origins)
        self._credentials = credentials

    def headers(self, origin: str | None) -> dict[str, str]:
        """What every answer says to a page of that origin; nothing where it is not allowed."""
        if not self._origins:
            return {}
        found = {"vary": "Origin"}
        if origin is None or not self.allows(origin):
            return found
        found["access-control-allow-origin"] = "*" if "*" in self._origins else origin
        found["access-control-expose-headers"] = SHOWN
        if self._credentials:
            found["access-control-allow-credentials"] = "true"
        return found

    def allows(self, origin: str) -> bool:
        """Whether pages of that origin may read answers."""
        return bool(self._origins & {origin, "*"})

    def preflight(self, method: str, headers: Mapping[str, str]) -> dict[str, str] | None:
        """What answers the question before a request (Fetch §3.2.2); None where this is none, or not allowed."""
        origin = headers.get("origin")
        if method != "OPTIONS" or "access-control-request-method" not in headers:
            return None
        if origin is None or not self.allows(origin):
            return None
        return {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": TAKEN,
            "access-control-max-age": SECONDS,
        }
