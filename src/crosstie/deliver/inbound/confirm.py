"""Asking a provider whether what came from it is true: through the guard, outside any transaction."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from crosstie.deliver.inbound.knock import Knock
from crosstie.deliver.inbound.proof import Options
from crosstie.errors import CrosstieError
from crosstie.kit.fetch import Fetcher, Unfetched


class Unsure(CrosstieError):
    """It cannot be known yet; the message says why. It is asked again."""


class Asked(Unsure):
    """It was asked, and the answer comes later at the address for it; `question` is what it will be known by."""

    def __init__(self, words: str, question: dict[str, Any]) -> None:
        super().__init__(words)
        self.question = question


#: async (asker, knock, key, options) -> what the provider said. Raises Refused where it is not true, Unsure where it
#: cannot be known yet
Confirm = Callable[["Asker", Knock, str, Options], Awaitable[Mapping[str, Any]]]


class Asker:
    """Asks providers. One per process; it keeps the access tokens that they gave."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body of an answer. Raises Unsure where there is none."""
        try:
            return await self._fetcher.ask(method, url, headers or {}, content)
        except Unfetched as error:
            raise Unsure(str(error)) from error

    async def token(self, key: tuple[str, ...], fetch: Callable[[], Awaitable[tuple[str, float]]]) -> str:
        """The access token kept under a key; `fetch` brings one with the seconds that it is good for."""
        token, until = self._tokens.get(key, ("", 0.0))
        if until < time.monotonic():
            token, seconds = await fetch()
            if len(self._tokens) > 1000:
                self._tokens.clear()
            self._tokens[key] = token, time.monotonic() + seconds
        return token

    def forget(self, key: tuple[str, ...]) -> None:
        """An access token was not taken."""
        self._tokens.pop(key, None)
