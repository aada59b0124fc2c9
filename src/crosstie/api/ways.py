"""Routes by the beginning of their path: a request is tried against its own noun's, however many nouns there are."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

#: parts of a path that name what it is about: /api/v1/jobs
PARTS = 3


class Ways:
    """Routers for the beginnings of paths, and one for all that has no fixed beginning."""

    def __init__(self, routes: Sequence[BaseRoute], nothing: ASGIApp) -> None:
        starts = [_start(route.path) if isinstance(route, Route) else "{" for route in routes]
        self._all = Router(routes=routes, redirect_slashes=False, default=nothing)
        self._routers = {}
        for beginning in {start for start in starts if "{" not in start}:
            near = [route for route, start in zip(routes, starts, strict=True) if start == beginning or "{" in start]
            self._routers[beginning] = Router(routes=near, redirect_slashes=False, default=nothing)

        self._fixed = {
            route.path: Fixed(route) for route in routes if isinstance(route, Route) and "{" not in route.path
        }

    def find(self, path: str) -> ASGIApp:
        """The route of exactly this path, or the router that knows every route it could match."""
        return self._fixed.get(path) or self._routers.get(_start(path), self._all)


class Fixed:
    """A route without parameters: nothing to be matched once its path is found."""

    def __init__(self, route: Route) -> None:
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"], scope["path_params"] = self._route, {}
        await self._route.app(scope, receive, send)


def _start(path: str) -> str:
    return "/".join(path.split("/", PARTS + 1)[: PARTS + 1])
