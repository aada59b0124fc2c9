"""STOP, START and HELP: a number's consent as its owner's own messages end and renew it, by the real inbound door."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from crosstie.kit import clock, ids
from crosstie.log.event import Event
from crosstie.modules.notifications import consent
from tests.fence import until
from tests.integration.notifications.conftest import Desk, africastalking, number
from tests.parts.carriers import Exchange
from tests.stage import calling

TOKEN = "the auth token"


class Phone:
    """A person with a phone, whose messages come in by Twilio, signed with its own library."""

    def __init__(self, desk: Desk, url: str, number: str) -> None:
        self._desk, self._url, self.number = desk, url, number

    async def write(self, text: str, *, secret: str = TOKEN, prefix: str = "", **more: str) -> int:
        """Send a message; the status that Twilio is answered."""
        form = {"MessageSid": f"SM{secrets.token_hex(16)}", "From": prefix + self.number, "To": "+15005550006"}
        form |= {"Body": text, "SmsStatus": "received", **more}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "i-twilio-idempotency-token": secrets.token_hex(8),
            "x-twilio-signature": RequestValidator(secret).compute_signature(self._url, form),
        }
        async with calling() as client:
            return (await client.post(self._url, content=urlencode(form), headers=headers)).status_code

    async def held(self) -> list[tuple[str, str]]:
        """Channel and reason of what keeps messages from the number."""
        rows = (await self._desk.client.get("/api/v1/suppressions", params={"address": self.number})).json()["data"]
        return [(row["channel"], row["reason"]) for row in rows]

    async def becomes(self, *wanted: tuple[str, str]) -> None:
        async def there() -> bool:
            return sorted(await self.held()) == sorted(wanted)

        await until(there)


@pytest.fixture
async def phone(desk: Desk) -> Phone:
    made = await desk.make("inbound-sources", name="texts", dialect="twilio", secret=TOKEN)
    return Phone(desk, made["url"], number())


async def told(desk: Desk, *types: str) -> list[dict[str, Any]]:
    """The events of these types, oldest first, once there is one of each."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = reversed((await desk.client.get("/api/v1/events", params={"limit": 200})).json()["data"])
        return all(any(event["event_type"] == type for event in found) for type in types)

    await until(there)
    return [event for event in found if event["event_type"] in types]


async def test_stop_ends_and_start_renews(desk: Desk, phone: Phone, exchange: Exchange) -> None:
    await africastalking(desk, exchange)
    said = await desk.send("plain", phone.number, channel="sms", data={"text": "The roof is mended."})
    await desk.ended(said["messages"][0]["id"], "sent")
    assert await phone.write("Stop") == 200
    await phone.becomes(("sms", "stopped"))
    (ended,) = await told(desk, "consent.ended")
    assert ended["data"]["channel"] == "sms"
    assert phone.number not in str(ended)
    assert ended["subject"]["type"] == "suppression"
    silent = await desk.send("plain", phone.number, channel="sms", data={"text": "Another roof?"})
    assert silent["messages"][0]["status"] == "suppressed"
    assert len(exchange.to(phone.number)) == 1
    assert await phone.write("START") == 200
    await phone.becomes()
    ended, renewed = await told(desk, "consent.ended", "consent.renewed")
    assert renewed["data"]["suppression_id"] == ended["data"]["suppression_id"]
    again = await desk.send("plain", phone.number, channel="sms", data={"text": "A roof."})
    await desk.ended(again["messages"][0]["id"], "sent")


async def test_in_arabic_and_by_the_providers_own_word(desk: Desk, phone: Phone) -> None:
    await phone.write("إيقاف")
    await phone.becomes(("sms", "stopped"))
    await phone.write("ابدأ")
    await phone.becomes()
    await phone.write("Arrêt", OptOutType="STOP")
    await phone.becomes(("sms", "stopped"))


async def test_of_one_channel_and_one_tenant(desk: Desk, phone: Phone) -> None:
    other = await desk.stage.tenant()
    async with other.client() as stranger:
        await phone.write("STOP", prefix="whatsapp:")
        await phone.becomes(("whatsapp", "stopped"))
        await phone.write("STOP")
        await phone.becomes(("whatsapp", "stopped"), ("sms", "stopped"))
        await phone.write("START", prefix="whatsapp:")
        await phone.becomes(("sms", "stopped"))
        assert (await stranger.get("/api/v1/suppressions")).json()["data"] == []


async def test_what_others_decided_stays(desk: Desk, phone: Phone) -> None:
    """START takes back what STOP did, and nothing else."""
    await desk.make("suppressions", channel="sms", address=phone.number, reason="manual")
    other = Phone(desk, phone._url, number())
    await phone.write("START")
    await other.write("STOP")
    await other.becomes(("sms", "stopped"))
    assert await phone.held() == [("sms", "manual")]


async def test_the_later_word_counts_in_whatever_order_they_are_worked_off(desk: Desk) -> None:
    to = number()

    async def work(text: str, seconds: int) -> None:
        at = clock.now() + timedelta(seconds=seconds)
        event = Event(desk.tenant.id, ids.uuid7(), "e", "inbound.received", 1, at, "{}")
        data = {"dialect": "twilio", "body": {"From": to, "Body": text}}
        await desk.call(lambda unit, given: consent.note(unit, event, given), data)

    await work("STOP", 0)
    await work("START", -60)  # written before the other
    assert await Phone(desk, "", to).held() == [("sms", "stopped")]
    await work("START", 60)
    assert await Phone(desk, "", to).held() == []


async def test_only_twilio_says_so(desk: Desk, phone: Phone) -> None:
    assert await phone.write("STOP", secret="a guess") == 401
    await phone.write("Please stop by tomorrow")
    other = Phone(desk, phone._url, number())
    await other.write("STOP")
    await other.becomes(("sms", "stopped"))
    assert await phone.held() == []


async def test_help_is_answered_once(desk: Desk, phone: Phone, exchange: Exchange) -> None:
    """In the words of whoever asked; Twilio itself answers HELP in English."""
    await africastalking(desk, exchange)
    await phone.write("HELP")
    await phone.write("مساعدة")
    await phone.write("مساعدة")

    async def answered() -> bool:
        return bool(exchange.to(phone.number))

    await until(answered)
    await phone.write("STOP")
    await phone.becomes(("sms", "stopped"))
    (reply,) = exchange.to(phone.number)
    assert "توقف" in reply["text"]


async def test_texts_by_a_source_with_a_key(desk: Desk, exchange: Exchange) -> None:
    """Africa's Talking's form, which signs nothing: its source asks for a key."""
    await africastalking(desk, exchange)
    made = await desk.make("inbound-sources", name="at", dialect="api_key")
    to = number()

    async def write(id: int, text: str) -> None:
        form = {"from": to, "to": "22384", "text": text, "id": f"m{id}", "date": "2026-11-30 07:00:00", "linkId": ""}
        async with calling() as client:
            answer = await client.post(made["url"], data=form, headers={"x-api-key": made["secret"]})
        assert answer.status_code == 200, answer.text

    await write(1, "Info")

    async def answered() -> bool:
        return bool(exchange.to(to))

    await until(answered)
    assert "Reply STOP" in exchange.to(to)[0]["text"]
    await write(2, "QUIT")
    await Phone(desk, "", to).becomes(("sms", "stopped"))
