"""One call of a remote service: up to four requests with one idempotency key, each cut after its time (CONTRACT §7).

Network errors, 408, 429 and 5xx are failures and tried again after 1 s, 2 s, 4 s …, or after what `Retry-After` says;
any other answer is an answer. What was sent and got no answer of the service itself (a 502 or 504 is a proxy's word)
may have been done all the same: then the call is unanswered, whatever the later requests met.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from crosstie.declare.service import Operation, Service
from crosstie.kit import clock, json, retry
from crosstie.kit.http import Client, Failed, Response
from crosstie.log.call import Asked, Begin, untraced
from crosstie.services.budget import Budgets
from crosstie.services.credential import Credentials
from crosstie.services.peer import Peer

TRACEPARENT = "traceparent"
#: the service is still at an earlier request with the same key: no fault of its, and no answer
BUSY = "in_progress"
#: a success whose document is broken: it was done, and another try with the same key may say what
UNREADABLE = "unreadable"
#: failures that another try does not mend: redirections lead nowhere
FINAL = frozenset(("egress_forbidden", "invalid_request", *(f"http_{status}" for status in range(300, 400))))

#: answers to the credential, not to the call: asking again or resting mends nothing, and whoever watches must know
LOCKED_OUT = frozenset(("http_401", "http_403"))


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of one request, of the first wait and of the longest; how often it is tried again."""

    request: float
    first: float
    most: float
    retries: int

    @property
    def whole(self) -> float:
        """How long a call takes at most."""
        waits = [self.wait(number) for number in range(self.retries)]
        return (self.retries + 1) * self.request + sum(waits)

    def wait(self, number: int) -> float:
        """The wait before retry `number`, from 0."""
        return min(self.first * 2.0**number, self.most)


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent: `given` are the values of path, query and body by name, `key` is the call's idempotency key."""

    peer: Peer
    service: Service
    operation: Operation
    given: Mapping[str, Any]
    key: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: it was sent before, and nobody answered
    doubtful: bool = False

    @property
    def name(self) -> str:
        return f"{self.service.name}.{self.operation.name}"

    def url(self) -> str:
        """The address, with the values of path and query in it."""
        path = self.service.path(self.operation)
        for name in self.operation.placeholders:
            path = path.replace(f"{{{name}}}", quote(str(self.given[name]), safe=""))
        pairs = [(ask.name, _text(self.given[ask.name])) for ask in self.operation.queries if ask.name in self.given]
        query = f"?{urlencode(pairs)}" if pairs else ""
        return f"{self.peer.base_url}{path}{query}"

    def body(self) -> bytes | None:
        """The document that goes along."""
        if self.operation.request is None:
            return None
        return json.dumps({name: self.given[name] for name in self.operation.fields if name in self.given})


@dataclass(slots=True)
class Outcome:
    """What came of a call. `code` is empty where the service answered, else says why not."""

    code: str = ""
    words: str = ""
    response: Response | None = None
    #: a change was sent, and nobody knows what came of it
    unanswered: bool = False
    retry_after: float | None = None
    requests: int = 0


class Remote:
    """Makes calls. One per process."""

    def __init__(self, client: Client, pace: Pace) -> None:
        self._client = client
        self._credentials = Credentials(client)
        self._budgets = Budgets()
        self.pace = pace
        #: told of every request
        self.observe: Callable[[Asked], None] = lambda asked: None
        #: traces every request
        self.begin: Begin = untraced

    async def call(self, call: Call, *, once: bool = False) -> Outcome:
        """Ask a service; with `once` only one request is sent. Never raises for a fault of the service."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.pace.whole
        outcome = Outcome(unanswered=call.doubtful)
        budget = self._budgets.of(call.peer.id)
        budget.call()
        while True:
            await self._request(call, outcome)
            number = outcome.requests - 1
            if not outcome.code or once or number >= self.pace.retries or outcome.code in FINAL:
                return outcome
            wait = max(self.pace.wait(number), outcome.retry_after or 0.0)
            # a wait that leaves no time for the request after it is the caller's to keep
            if loop.time() + wait + self.pace.request > end + 1.0 or not budget.retry():
                return outcome
            await asyncio.sleep(wait)

    async def _request(self, call: Call, outcome: Outcome) -> None:
        """One request; its result goes into the outcome."""
        began = time.perf_counter()
        place, ended = self.begin(call.name, call.headers.get(TRACEPARENT))
        outcome.requests += 1
        outcome.retry_after = None
        try:
            response = await self._sent(call, place)
            outcome.response = response
            outcome.code = _failure(call, response, sent_before=outcome.unanswered)
            broken = ", with broken JSON" if outcome.code == UNREADABLE else ""
            outcome.words = f"the service answered {response.status}{broken}" if outcome.code else ""
            outcome.retry_after = retry.after(response.headers.get("retry-after"), clock.now(), 3600.0)
            missing = response.status in (502, 504) or outcome.code in (BUSY, UNREADABLE)
        except Failed as error:
            outcome.response = None
            outcome.code, outcome.words = error.code, str(error)
            missing = error.sent
        if not outcome.code:
            outcome.unanswered = False
        elif missing and call.operation.mutates:
            outcome.unanswered = True
        seconds = time.perf_counter() - began
        told = outcome.code or _told(outcome.response)
        well = not outcome.code and told not in LOCKED_OUT
        asked = Asked(call.peer.tenant_id, call.peer.id, call.name, told, well, seconds, outcome.requests)
        self.observe(asked)
        ended(asked)

    async def _sent(self, call: Call, place: str | None) -> Response:
        """One request with its credential and its place in the trace; a token that is refused is fetched once more.

        Raises Failed.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self.pace.request
        while True:
            headers = await self._credentials.headers(call.peer, self.pace.request)
            headers |= call.headers
            if place:
                headers[TRACEPARENT] = place
            if call.operation.mutates and call.key:
                headers["idempotency-key"] = call.key
            body = call.body()
            if body is not None:
                headers["content-type"] = "application/json"
            left = max(0.001, end - loop.time())
            response = await self._client.send(call.operation.method, call.url(), headers, body, left)
            if response.status != 401 or not self._credentials.refused(call.peer):
                return response


def _told(response: Response | None) -> str:
    status = response.status if response else 0
    named = f"http_{status}"
    return named if named in LOCKED_OUT else f"http_{status // 100}xx"


def _failure(call: Call, response: Response, *, sent_before: bool) -> str:
    """Why a response is no answer; empty where it is one.

    409 to a repeat, or with a time to come back, says that the earlier request with this key is still being done.
    """
    status = response.status
    if status == 409 and call.key is not None and (sent_before or "retry-after" in response.headers):
        return BUSY
    if status in (408, 429) or status >= 500 or 300 <= status < 400:
        return f"http_{status}"
    return "" if status >= 400 or _readable(response.body) else UNREADABLE


def _readable(body: bytes) -> bool:
    try:
        json.loads(body.strip() or b"null")
    except json.BadJson:
        return False
    return True


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
