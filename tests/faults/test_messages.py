"""kill -9 between the moment at which a provider takes a message and the record of it: nothing is lost.

What is sent again goes to the same provider under the same id, so that one who heeds ids sends once.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.faults.rig import Rig
from tests.fence import until
from tests.parts.carriers import ACCOUNT, KEY, SENDER, TOKEN, USERNAME, Exchange, exchanging
from tests.parts.post import Mailbox, mailbox

pytestmark = pytest.mark.timeout(600)
WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE messages%')"
NUMBER = "+254711000001"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with exchanging() as found:
        yield found


@pytest.fixture
async def office(rig: Rig, box: Mailbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A tenant of an installation with an API, one worker, and a mail server."""
    rig.settings = {
        "SMTP_URL": f"smtp://127.0.0.1:{box.port}?security=none",
        "MAIL_FROM": "no-reply@crosstie.example",
        "RETRY_SCHEDULE": "1,1,1,1,1",
    }
    rig.start("api", "api")
    rig.start("worker", "worker")
    await rig.ready()
    tenant = await rig.tenant()
    tenant.url = rig.urls()[0]
    async with tenant.client() as client:
        yield client


async def provider(office: httpx2.AsyncClient, exchange: Exchange, kind: str, **more: Any) -> None:
    account = {"africastalking": {"account": USERNAME}, "twilio": {"account": ACCOUNT, "sender": SENDER}}[kind]
    values = {"name": kind, "channel": "sms", "kind": kind, "url": exchange.url, "options": account}
    values["secret"] = {"africastalking": KEY, "twilio": TOKEN}[kind]
    made = await office.post("/api/v1/notification-providers", json=values | more)
    assert made.status_code == 201, made.text


async def asked(office: httpx2.AsyncClient, channel: str, *to: str) -> list[str]:
    """The ids of messages to these."""
    given = {"channel": channel, "template": "plain", "to": to, "data": {"subject": "Roof", "text": "It is mended."}}
    answer = await office.post("/api/v1/notifications/messages", json=given)
    assert answer.status_code == 202, answer.text
    return [each["id"] for each in answer.json()["messages"]]


async def message(office: httpx2.AsyncClient, id: str) -> dict[str, Any]:
    return dict((await office.get(f"/api/v1/messages/{id}")).json())


class Trap:
    """Holds up the record of a message from the moment at which a provider took it, so that a kill comes before it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._loop = asyncio.get_running_loop()
        self._held: Future[asyncpg.Connection] | None = None

    def __call__(self) -> None:
        """The provider's threads come by here."""
        if self._held is None:
            self._held = asyncio.run_coroutine_threadsafe(self._hold(), self._loop)
            self._held.result()

    async def _hold(self) -> asyncpg.Connection:
        connection = await self._rig.stage.superuser()
        await connection.execute("BEGIN; SELECT FROM messages WHERE status = 'queued' FOR UPDATE")
        return connection

    async def kill(self) -> None:
        """kill -9 of the worker, once it heard the answer and is about to write it down."""
        await self._rig.until(WAITS)
        self._rig.signal("worker", signal.SIGKILL)
        assert self._held is not None
        await self._held.result().close()
        await self._rig.until(f"SELECT NOT ({WAITS[7:]})")


async def sent(office: httpx2.AsyncClient, id: str, trap: Trap, rig: Rig) -> dict[str, Any]:
    """What became of a message whose worker died before the record, at the hands of another worker."""
    await trap.kill()
    assert (await message(office, id))["status"] == "queued"
    await rig.ask("UPDATE workers SET seen_at = '-infinity' RETURNING id")  # time passes
    rig.start("worker-2", "worker")

    async def told() -> list[str]:
        asked = {"subject_type": "message", "subject_id": id}
        events = (await office.get("/api/v1/events", params=asked)).json()["data"]
        return [event["event_type"] for event in events]

    async def over() -> bool:
        return len(await told()) > 1

    await until(over, 120)
    assert sorted(await told()) == ["message.queued", "message.sent"]
    return await message(office, id)


async def test_a_mail_that_was_taken_goes_again_as_the_same(rig: Rig, office: httpx2.AsyncClient, box: Mailbox) -> None:
    trap = box.taking = Trap(rig)
    (id,) = await asked(office, "email", "thandi@example.com")
    found = await sent(office, id, trap, rig)
    assert [str(mail["Message-ID"]) for mail in box.mails] == [found["provider_message_id"]] * 2
    assert found["provider_message_id"] == f"<{id}@crosstie.example>"


async def test_a_text_that_was_taken_goes_again_under_its_key(
    rig: Rig, office: httpx2.AsyncClient, exchange: Exchange
) -> None:
    await provider(office, exchange, "africastalking")
    trap = exchange.taking = Trap(rig)
    (id,) = await asked(office, "sms", NUMBER)
    await sent(office, id, trap, rig)
    assert [(each["key"], each["to"]) for each in exchange.taken] == [(id, NUMBER)] * 2


async def test_nobody_else_gets_what_the_first_took(rig: Rig, office: httpx2.AsyncClient, exchange: Exchange) -> None:
    """The first took it, the worker died, and now the first refuses: it alone is asked until it takes it again."""
    await provider(office, exchange, "africastalking")
    await provider(office, exchange, "twilio", position=1)
    trap = Trap(rig)

    def taking() -> None:
        if len(exchange.taken) == 1:
            trap()
            exchange.faults["/version1"] = [503, 503]

    exchange.taking = taking
    (id,) = await asked(office, "sms", NUMBER)
    found = await sent(office, id, trap, rig)
    assert [(each["by"], each["key"]) for each in exchange.taken] == [("africastalking", id)] * 2
    assert (found["provider"], exchange.faults["/version1"]) == ("africastalking", [])


async def test_nobody_else_gets_what_the_second_took(rig: Rig, office: httpx2.AsyncClient, exchange: Exchange) -> None:
    """The first refused, the second took it, the worker died, and now the first is well: it is not asked."""
    await provider(office, exchange, "africastalking")
    await provider(office, exchange, "twilio", position=1)
    exchange.faults["/version1"] = [503]
    trap = exchange.taking = Trap(rig)
    (id,) = await asked(office, "sms", NUMBER)
    found = await sent(office, id, trap, rig)
    assert [(each["by"], each["key"]) for each in exchange.taken] == [("twilio", id)] * 2
    assert found["provider"] == "twilio"


async def test_many_mails_and_a_worker_that_dies_again_and_again(
    rig: Rig, office: httpx2.AsyncClient, box: Mailbox
) -> None:
    """Each arrives; those that arrive again are no more than were under way at a kill, and the same mail."""
    ids = await asked(office, "email", *(f"client-{number}@example.com" for number in range(100)))
    kills = 3
    for number in range(kills):

        async def further(count: int = 20 * (number + 1)) -> bool:
            return len(box.mails) >= count

        await until(further, 120)
        await rig.crash("worker")

    async def all_sent() -> bool:
        rows = await rig.ask("SELECT count(*) FROM messages WHERE id = ANY ($1::uuid[]) AND status = 'sent'", ids)
        return bool(rows == len(ids))

    await until(all_sent, 200)
    taken = Counter(str(mail["Message-ID"]) for mail in box.mails)
    assert set(taken) == {f"<{id}@crosstie.example>" for id in ids}
    assert len(box.mails) - len(ids) <= kills * 8  # so many of one channel are under way at once
