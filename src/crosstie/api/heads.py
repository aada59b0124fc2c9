"""The headers of a request, read once, and the head of an answer, written once."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Heads(Headers):
    """Starlette's headers with a table of them: a request is asked for some ten, and has as many."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        # of headers that came twice the first counts, as in Starlette
        self._first = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self._list)}

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._first

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # as in Mapping
        """The first header of that name."""
        return self._first.get(key.lower(), default)


class Call(Request):
    """A request whose headers the edge has read already."""

    @property
    def headers(self) -> Headers:
        """The headers, as a table."""
        found: Headers = self.scope["heads"]
        return found


def written(status: int, *headers: Mapping[str, str]) -> bytes:
    """Status line and headers. Raises ValueError where a name or value holds a control character."""
    lines = [f"{name}: {value}" for each in headers for name, value in each.items()]
    if not "".join(lines).isprintable():
        raise ValueError("a header holds a control character")
    return (_LINES[status] + "\r\n".join(lines) + "\r\n").encode("latin-1")
