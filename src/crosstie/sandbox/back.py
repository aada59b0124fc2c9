"""The way back: the events that counterparts tell of, sent to Crosstie until it has heard them.

They go to an address with a key (`POST /api/v1/events`), signed to an inbound source (`/hooks/<token>`), or to a broker
that Crosstie listens on. An event that Crosstie refuses is not sent again; every other is, with longer and longer
waits, under the same id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import httpx2
import structlog

from crosstie.kit import clock, json, retry, webhook
from crosstie.sandbox.books import REQUEST, Books, Document, Shelf
from crosstie.sandbox.broker import SCHEMES, Lost, Way, way
from crosstie.sandbox.services import COUNTERPARTS

LOOK = 0.1
TIMEOUT = 15.0
#: seconds between attempts: doubling to the last, which stays
FIRST, MOST = 1.0, 30.0
log = structlog.get_logger()


class Target(NamedTuple):
    """Where events go, and what opens it.

    A Crosstie with an API key, an inbound source's address with its `whsec_` secret, or a broker with the tenant's id.
    """

    url: str
    secret: str

    @property
    def signed(self) -> bool:
        """Whether it is an inbound source."""
        return self.secret.startswith("whsec_")

    @property
    def broker(self) -> bool:
        """Whether it is a broker."""
        return self.url.partition("://")[0] in SCHEMES

    @property
    def address(self) -> str:
        """Where to post."""
        return self.url if self.signed else f"{self.url.rstrip('/')}/api/v1/events"

    def headers(self, event_id: str, body: bytes) -> dict[str, str]:
        """What shows who sends."""
        found = {"content-type": "application/json"}
        if self.signed:
            return found | webhook.headers([webhook.signer(self.secret)], event_id, body)
        return found | {"authorization": f"Bearer {self.secret}"}


class Back:
    """Does what is due: what counterparts do later, and what they have to tell."""

    def __init__(self, books: Books, target: Callable[[], Target | None]) -> None:
        self._books, self._target = books, target
        self._client: httpx2.AsyncClient | None = None
        self._ways: dict[str, Way] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._working())
                group.create_task(self._sending())
        finally:
            if self._client is not None:
                await self._client.aclose()
            for each in self._ways.values():
                await each.close()

    async def _working(self) -> None:
        while True:
            self.work()
            await asyncio.sleep(LOOK)

    async def _sending(self) -> None:
        while True:
            await self.send()
            await asyncio.sleep(LOOK)

    def work(self) -> None:
        """Everything whose time has come."""
        for job in self._books.rows("SELECT * FROM jobs WHERE due <= ? ORDER BY due", time.time()):
            document = json.loads(job["document"])
            REQUEST.set(document.get("request"))
            with self._books.change():
                self._books.run("DELETE FROM jobs WHERE number = ?", job["number"])
                shelf = Shelf(self._books, job["service"], document["about"])
                COUNTERPARTS[job["service"]].later[job["name"]](shelf, document)

    async def send(self) -> None:
        """Every event that is due, the oldest first."""
        target = self._target()
        query = "SELECT * FROM events WHERE state = 'waiting' AND due <= ? ORDER BY number LIMIT 100"
        for event in self._books.rows(query, time.time()) if target else ():
            assert target is not None
            state, said, wait = await self._told(target, event)
            self._books.run(
                "UPDATE events SET state = ?, said = ?, attempts = attempts + 1, due = ? WHERE number = ?",
                state, said, time.time() + wait, event["number"],
            )  # fmt: skip

    async def _told(self, target: Target, event: Document) -> tuple[str, str, float]:
        """What came of one attempt: the state of the event, what was said, and the wait before the next."""
        document = {"event_id": event["id"], "event_type": event["type"], "timestamp": event["at"]}
        document["data"] = json.raw(event["data"])
        if event["request"]:
            document["correlation_id"] = event["request"]
        wait = min(FIRST * 2.0 ** event["attempts"], MOST)
        if target.broker:
            body = json.dumps(document | {"tenant_id": target.secret})
            try:
                await self._way(target).tell(event["type"], event["id"], body)
            except Lost as error:
                return "waiting", str(error), wait
            return "heard", "confirmed", 0.0
        body = json.dumps(document)
        try:
            answer = await self._of(target).post(
                target.address, content=body, headers=target.headers(event["id"], body)
            )
        except httpx2.HTTPError as error:
            return "waiting", type(error).__name__, wait
        status = answer.status_code
        if answer.is_success:
            return "heard", str(status), 0.0
        if status in (401, 403, 408, 429) or status >= 500:
            later = retry.after(answer.headers.get("retry-after"), clock.now(), MOST)
            return "waiting", str(status), max(wait, later or 0.0)
        log.warning("an event of the sandbox was refused", event_type=event["type"], answer=answer.text[:500])
        return "refused", f"{status} {answer.text[:500]}", 0.0

    def _way(self, target: Target) -> Way:
        if target.url not in self._ways:
            self._ways[target.url] = way(target.url)
        return self._ways[target.url]

    def _of(self, target: Target) -> httpx2.AsyncClient:
        if self._client is None:
            # to read the system's certificates takes long, and plain http needs none
            self._client = httpx2.AsyncClient(timeout=TIMEOUT, verify=not target.url.startswith("http://"))
        return self._client
