"""Dialects whose provider must confirm what came: nothing counts before, and what it denies never does."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from hashlib import md5
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx2
import pytest
from aiohttp import web

from tests.contract.dialect.suite import Hook, Suite
from tests.fence import until
from tests.receiver import Received, Receiver, receiving
from tests.stage import Tenant, calling


@pytest.fixture
def provider() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


async def first_look(hook: Hook) -> dict[str, Any]:
    """The one pending request of a source, once it was looked at and its provider could not say."""
    found: dict[str, Any] = {}

    async def looked() -> bool:
        page = await hook.client.get("/api/v1/inbound-requests", params={"source_id": hook.id})
        found.update(page.json()["data"][0])
        return found["attempts"] > 1 and found["detail"] is not None

    await until(looked)
    return found


class TestPayfast(Suite):
    """An MD5 over the form in its order, then the question to /eng/query/validate."""

    dialect, media, secret = "payfast", "application/x-www-form-urlencoded", "jt7NOE43FZPn"

    @pytest.fixture
    async def hook(self, tenant: Tenant, client: httpx2.AsyncClient, provider: Receiver) -> Hook:
        provider.answer = lambda received: web.Response(text="VALID")
        options = {"base_url": provider.url, "merchant_id": "10000100"}
        return await self.made(tenant, client, options=options)

    def form(self, number: int, secret: str | None = None, **changes: str) -> bytes:
        fields = {
            "m_payment_id": f"INV 000{number}/7", "pf_payment_id": str(1089250 + number), "payment_status": "COMPLETE",
            "item_name": "Geyser 150ℓ & test (CoC) *'!", "item_description": "", "amount_gross": "200.00",
            "amount_fee": "-4.60", "amount_net": "195.40", "email_address": "a+b@example.co.za",
            "merchant_id": "10000100",
        } | changes  # fmt: skip
        signed = urlencode(fields) + f"&passphrase={secret or self.secret}"
        return urlencode(fields | {"signature": md5(signed.encode()).hexdigest()}).encode()

    def body(self, number: int) -> bytes:
        return self.form(number)

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {}

    async def test_payfast_is_asked_about_what_was_signed(self, hook: Hook, provider: Receiver) -> None:
        body = self.body(1)
        await hook.post({"content-type": self.media}, body)
        (kept,) = await hook.requests(1)
        (asked,) = provider.got
        assert (asked.path, asked.body) == ("/eng/query/validate", body.rpartition(b"&signature=")[0])
        (event,) = await hook.events()
        assert event["data"]["confirmation"] == {"by": "/eng/query/validate", "answer": "VALID"}
        assert event["data"]["body"] == dict(parse_qsl(body.decode(), keep_blank_values=True))
        assert (kept["provider_event_id"], kept["provider_event_type"]) == ("1089251-COMPLETE", "COMPLETE")

    async def test_what_payfast_denies_never_counts(self, hook: Hook, provider: Receiver) -> None:
        provider.answer = lambda received: web.Response(text="INVALID")
        assert (await hook.post({"content-type": self.media}, self.body(1))).status_code == 200
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["reason"], kept["event_id"]) == ("rejected", "denied", None)
        assert await hook.events() == []

    async def test_it_waits_while_payfast_is_away(self, hook: Hook, provider: Receiver) -> None:
        provider.answer = lambda received: web.Response(status=503)
        assert (await hook.post({"content-type": self.media}, self.body(1))).status_code == 200
        pending = await first_look(hook)
        assert (pending["status"], pending["reason"]) == ("pending", "unconfirmed")
        assert pending["due_at"] > pending["received_at"]
        assert await hook.events() == []
        provider.answer = lambda received: web.Response(text="VALID")
        await hook.client.post(f"/api/v1/inbound-requests/{pending['id']}/replay")
        assert (await hook.requests(1))[0]["status"] == "accepted"
        assert len(await hook.events()) == 1

    async def test_what_was_altered_is_refused_and_kept(self, hook: Hook, provider: Receiver) -> None:
        good = self.body(1)
        unsigned = good.rpartition(b"&signature=")[0]
        wrong = {
            "bad_signature": (good.replace(b"200.00", b"900.00"), self.form(1, "another"), unsigned + b"&signature=x"),
            "missing_signature": (unsigned, b"", good + b"&amount_gross=900.00"),
            "other_merchant": (self.form(1, merchant_id="666"),),
        }
        for reason, bodies in wrong.items():
            for body in bodies:
                answer = await hook.post({"content-type": self.media}, body)
                assert answer.status_code == 401, body
                kept = await hook.client.get("/api/v1/inbound-requests", params={"source_id": hook.id, "limit": "1"})
                assert kept.json()["data"][0]["reason"] == reason
        assert provider.got == []
        assert await hook.events() == []

    async def test_without_a_passphrase_the_form_alone_is_signed(self, hook: Hook, provider: Receiver) -> None:
        bare = await self.made(hook.tenant, hook.client, secret=None, options={"base_url": provider.url})
        assert bare.secret == ""
        fields = {"pf_payment_id": "7", "payment_status": "COMPLETE"}
        mark = md5(urlencode(fields).encode()).hexdigest()
        body = urlencode(fields | {"signature": mark}).encode()
        assert (await bare.post({"content-type": self.media}, body)).status_code == 200
        assert (await bare.requests(1))[0]["status"] == "accepted"


class Daraja:
    """M-Pesa's own side, as far as it is asked."""

    def __init__(self, provider: Receiver) -> None:
        self.provider = provider
        self.result: dict[str, Any] | None = {"ResultCode": "0", "ResultDesc": "The service request is processed."}
        self.payments: list[dict[str, str]] = []
        self.tokens = 0
        self.questions: list[dict[str, Any]] = []
        #: a question is answered before it is thanked for
        self.instant = False
        provider.answer = self.answer

    def answer(self, received: Received) -> web.Response:
        if received.path == "/oauth/v1/generate":
            pair = base64.b64decode(received.headers["authorization"].removeprefix("Basic ")).decode()
            if pair != "consumer:secret":
                return web.json_response({"errorMessage": "Invalid Authentication"}, status=400)
            self.tokens += 1
            return web.json_response({"access_token": f"t{self.tokens}", "expires_in": "3599"})
        if received.headers.get("authorization") != f"Bearer t{self.tokens}":
            return web.json_response({"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"}, status=401)
        asked = json.loads(received.body)
        if received.path == "/mpesa/transactionstatus/v1/query":
            return web.json_response(self.queried(asked))
        if received.path == "/pulltransactions/v1/query":
            return web.json_response({"ResponseCode": "1000", "Response": [self.payments]})
        assert received.path == "/mpesa/stkpushquery/v1/query"
        moment = asked["Timestamp"]
        assert base64.b64decode(asked["Password"]).decode() == f"174379passkey{moment}"
        if self.result is None:
            error = {"errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}
            return web.json_response(error, status=500)
        return web.json_response({"ResponseCode": "0", "CheckoutRequestID": asked["CheckoutRequestID"]} | self.result)

    def queried(self, asked: dict[str, str]) -> dict[str, str]:
        """Take a question about a payment; what it answers is told later, at the ResultURL, or before it is thanked."""
        assert (asked["Initiator"], asked["SecurityCredential"]) == ("api", "c2VjcmV0")
        assert (asked["CommandID"], asked["PartyA"], asked["IdentifierType"]) == (
            "TransactionStatusQuery",
            "174379",
            "4",
        )
        number = len(self.questions)
        ids = {"OriginatorConversationID": f"q-{number}", "ConversationID": f"AG_{secrets.token_hex(10)}"}
        self.questions.append(asked | {"ids": ids})
        if self.instant:
            httpx2.post(asked["ResultURL"], json=self.status(number), timeout=60)
        return ids | {"ResponseCode": "0", "ResponseDescription": "Accept the service request successfully."}

    def status(self, number: int, code: int = 0, **changes: Any) -> dict[str, Any]:
        """The answer to a question."""
        found = {
            "DebitPartyName": "174379 - Acme", "TransactionStatus": "Completed", "Amount": 300,
            "ReceiptNo": self.questions[number]["TransactionID"], "FinalisedTime": 20261130071600,
        } | changes  # fmt: skip
        listed = [{"Key": name, "Value": value} for name, value in found.items()]
        result = {"ResultType": 0, "ResultCode": code, "TransactionID": "TKQ0000000", **self.questions[number]["ids"]}
        return {"Result": result | {"ResultParameters": {"ResultParameter": listed}}}

    async def tell(self, number: int, document: dict[str, Any] | None = None, url: str = "") -> int:
        """Answer a question at its address, or another; the status of that."""
        async with calling() as client:
            url = url or self.questions[number]["ResultURL"]
            return (await client.post(url, json=document or self.status(number))).status_code

    async def asked(self, count: int = 1) -> None:
        """Return once so many questions were put."""

        async def there() -> bool:
            return len(self.questions) >= count

        await until(there)


class TestMpesa(Suite):
    """Unsigned: asked again before it counts."""

    dialect, secret = "mpesa", "secret:passkey"

    @pytest.fixture
    def daraja(self, provider: Receiver) -> Daraja:
        return Daraja(provider)

    @pytest.fixture
    async def hook(self, tenant: Tenant, client: httpx2.AsyncClient, daraja: Daraja) -> Hook:
        options = {"base_url": daraja.provider.url, "consumer_key": "consumer", "shortcode": "174379"}
        return await self.made(tenant, client, options=options)

    def callback(self, number: int, code: int = 0) -> bytes:
        found = {"MerchantRequestID": "2", "CheckoutRequestID": f"ws_CO_{number}", "ResultCode": code}
        items = [{"Name": "Amount", "Value": 1}, {"Name": "MpesaReceiptNumber", "Value": f"NLJ{number}"}]
        return json.dumps({"Body": {"stkCallback": found | {"CallbackMetadata": {"Item": items}}}}).encode()

    def paid(self, number: int = 1, amount: str = "10.00") -> bytes:
        found = {"TransactionType": "Pay Bill", "TransID": f"RKTQDM7W6{number}", "TransTime": "20191122063845"}
        return json.dumps(found | {"TransAmount": amount, "BusinessShortCode": "174379"}).encode()

    def body(self, number: int) -> bytes:
        return self.callback(number)

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {}

    async def test_it_is_thanked_in_its_own_words(self, hook: Hook) -> None:
        answer = await hook.post({}, self.body(1))
        assert answer.json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
        (kept,) = await hook.requests(1)
        assert (kept["provider_event_id"], kept["provider_event_type"]) == ("ws_CO_1", "stk")
        (event,) = await hook.events()
        assert event["data"]["confirmation"]["by"] == "stkpushquery"
        for word in ("mpesa", "safaricom", "sql", "query", "exe", "cmd"):
            assert word not in hook.url.rpartition("/")[2].lower()

    async def test_what_the_answer_contradicts_never_counts(self, hook: Hook, daraja: Daraja) -> None:
        daraja.result = {"ResultCode": "1032", "ResultDesc": "Request cancelled by user"}
        await hook.post({}, self.callback(1))
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["reason"]) == ("rejected", "mismatch")
        assert await hook.events() == []

    async def test_it_waits_while_the_payment_is_under_way(self, hook: Hook, daraja: Daraja) -> None:
        daraja.result = None
        await hook.post({}, self.callback(1))
        pending = await first_look(hook)
        assert "processed" in pending["detail"]
        daraja.result = {"ResultCode": "0"}
        assert (await hook.requests(1))[0]["status"] == "accepted"
        assert daraja.tokens == 1

    async def test_a_token_that_is_taken_no_more_is_asked_for_anew(self, hook: Hook, daraja: Daraja) -> None:
        await hook.post({}, self.callback(1))
        await hook.requests(1)
        daraja.tokens += 7  # what it gave is void
        await hook.post({}, self.callback(2))
        assert [each["status"] for each in await hook.requests(2)] == ["accepted"] * 2

    async def test_a_payment_to_the_paybill_is_looked_for_among_all(self, hook: Hook, daraja: Daraja) -> None:
        daraja.payments = [{"transactionId": "OTHER", "amount": "1"}, {"transactionId": "RKTQDM7W61", "amount": "10"}]
        await hook.post({}, self.paid())
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["provider_event_id"]) == ("accepted", "RKTQDM7W61")
        asked = json.loads(daraja.provider.got[-1].body)
        assert (asked["StartDate"], asked["EndDate"]) == ("2019-11-22 06:36:45", "2019-11-22 06:40:45")

    async def test_a_forged_amount_never_counts(self, hook: Hook, daraja: Daraja) -> None:
        daraja.payments = [{"transactionId": "RKTQDM7W61", "amount": "10"}]
        await hook.post({}, self.paid(amount="9000.00"))
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["reason"]) == ("rejected", "mismatch")

    async def test_a_result_waits_for_who_may_ask(self, hook: Hook) -> None:
        await hook.post({}, json.dumps({"Result": {"OriginatorConversationID": "1-2-3", "ResultCode": 0}}).encode())
        assert (await first_look(hook))["detail"] == "the source lacks initiator, secret"
        assert await hook.events() == []

    async def test_what_is_none_of_its_callbacks_is_refused(self, hook: Hook) -> None:
        for body in (b"{}", b"", b'{"Body":{"stkCallback":{}}}', b"<xml/>"):
            assert (await hook.post({}, body)).status_code == 401

    async def test_it_waits_until_the_source_is_complete(self, hook: Hook, daraja: Daraja) -> None:
        bare = await self.made(hook.tenant, hook.client, secret=None, options={"base_url": daraja.provider.url})
        await bare.post({}, self.callback(1))
        assert "consumer_key, shortcode, secret" in (await first_look(bare))["detail"]
        daraja.provider.got.clear()
        options = {"base_url": daraja.provider.url, "consumer_key": "consumer", "shortcode": "174379"}
        path = f"/api/v1/inbound-sources/{bare.id}"
        assert (await bare.client.patch(path, json={"options": options})).status_code == 200
        assert (await bare.client.post(f"{path}/rotate-secret", json={"secret": self.secret})).status_code == 200
        assert (await bare.requests(1))[0]["status"] == "accepted"

    async def test_only_its_addresses_are_taken_where_some_are_named(self, hook: Hook) -> None:
        path = f"/api/v1/inbound-sources/{hook.id}"
        for ips, status in (["196.201.214.0/24"], 401), (["196.201.214.0/24", "127.0.0.1"], 200):
            options = {"base_url": "http://127.0.0.1:9", "ips": ips}
            await hook.client.patch(path, json={"options": options})

            async def answered(wanted: int = status) -> bool:
                return (await hook.post({}, self.callback(1))).status_code == wanted

            await until(answered)


class TestPayout(Suite):
    """Results of payments to people: asked about, and answered at an address of the question's own."""

    dialect, secret = "mpesa", "secret::c2VjcmV0"

    @pytest.fixture
    def daraja(self, provider: Receiver) -> Daraja:
        found = Daraja(provider)
        found.instant = True
        return found

    @pytest.fixture
    async def hook(self, tenant: Tenant, client: httpx2.AsyncClient, daraja: Daraja) -> Hook:
        options = {"base_url": daraja.provider.url, "consumer_key": "consumer", "shortcode": "174379"}
        return await self.made(tenant, client, options=options | {"initiator": "api"})

    def body(self, number: int, code: int = 0, amount: int = 300) -> bytes:
        listed = [{"Key": "TransactionAmount", "Value": amount}, {"Key": "TransactionReceipt", "Value": f"NLJ{number}"}]
        result = {
            "ResultType": 0, "ResultCode": code, "ResultDesc": "x", "OriginatorConversationID": f"29112-3480{number}-1",
            "ConversationID": f"AG_2026_{number}", "TransactionID": f"NLJ{number}",
            "ResultParameters": {"ResultParameter": listed},
        }  # fmt: skip
        return json.dumps({"Result": result}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {}

    async def test_it_counts_once_m_pesa_has_said_the_same(self, hook: Hook, daraja: Daraja) -> None:
        daraja.instant = False
        assert (await hook.post({}, self.body(1))).json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
        await daraja.asked()
        assert daraja.questions[0]["TransactionID"] == "NLJ1"
        where = daraja.questions[0]["ResultURL"]
        for word in ("mpesa", "safaricom", "sql", "query", "exe", "cmd"):
            assert word not in where.rpartition("/")[2].lower()
        assert await hook.events() == []
        for _ in range(2):
            assert await daraja.tell(0) == 200
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["provider_event_type"]) == ("accepted", "result")
        assert await daraja.tell(0) == 200  # late: nobody waits for it
        (event,) = await hook.events()
        assert event["data"]["confirmation"] == {
            "by": "transactionstatus", "status": "Completed", "amount": "300", "transaction_id": "NLJ1",
        }  # fmt: skip
        assert len(daraja.questions) == 1

    async def test_an_answer_that_takes_its_time(self, hook: Hook, daraja: Daraja) -> None:
        """It is waited for, not asked for again, and looked at when it comes."""
        daraja.instant = False
        await hook.post({}, self.body(1))

        async def waited() -> bool:
            page = await hook.client.get("/api/v1/inbound-requests", params={"source_id": hook.id})
            return bool(page.json()["data"][0]["detail"] == "M-Pesa has not answered yet")

        await until(waited)
        await daraja.tell(0)
        assert (await hook.requests(1))[0]["status"] == "accepted"
        assert len(daraja.questions) == 1

    async def test_what_comes_elsewhere_is_no_answer(self, hook: Hook, daraja: Daraja) -> None:
        """Whoever knows the source's own address may guess the ids: that is not how M-Pesa answers."""
        daraja.instant = False
        await hook.post({}, self.body(1))
        await daraja.asked()
        assert await daraja.tell(0, url=hook.url) == 200
        where = daraja.questions[0]["ResultURL"]
        assert await daraja.tell(0, url=where.rpartition(".")[0] + ".AAAA") == 404
        await daraja.asked(2)  # what came at the source's address is one more result to be asked about
        assert await hook.events() == []

    async def test_an_answer_to_another_question_is_none(self, hook: Hook, daraja: Daraja) -> None:
        daraja.instant = False
        await hook.post({}, self.body(1))
        await daraja.asked()
        await hook.post({}, self.body(2))
        await daraja.asked(2)
        first, second = (daraja.questions[number]["ResultURL"] for number in (0, 1))
        await daraja.tell(1, url=first)  # the first is asked about anew
        await daraja.tell(1, url=second)
        await daraja.asked(3)
        assert daraja.questions[2]["TransactionID"] == daraja.questions[0]["TransactionID"]
        await daraja.tell(2)
        assert [each["status"] for each in await hook.requests(2)] == ["accepted"] * 2

    async def test_a_question_that_was_not_worked_on_is_put_again(self, hook: Hook, daraja: Daraja) -> None:
        daraja.instant = False
        await hook.post({}, self.body(1))
        await daraja.asked()
        await daraja.tell(0, daraja.status(0, code=2001))
        await daraja.asked(2)
        await daraja.tell(1)
        assert (await hook.requests(1))[0]["status"] == "accepted"

    @pytest.mark.parametrize(
        ("said", "changes"),
        [
            ({}, {"Amount": 3}),
            ({}, {"TransactionStatus": "Failed"}),
            ({}, {"ReceiptNo": "NLJ9"}),
            ({}, {"DebitPartyName": "600999 - Somebody else"}),
            ({"code": 2001}, {}),
        ],
        ids=["amount", "it failed", "receipt", "payer", "it did not fail"],
    )
    async def test_what_the_answer_contradicts_never_counts(
        self, hook: Hook, daraja: Daraja, said: dict[str, int], changes: dict[str, Any]
    ) -> None:
        daraja.instant = False
        await hook.post({}, self.body(1, **said))
        await daraja.asked()
        await daraja.tell(0, daraja.status(0, **changes))
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["reason"]) == ("rejected", "mismatch")
        assert await hook.events() == []

    async def test_a_payment_that_failed_is_told_of_as_that(self, hook: Hook, daraja: Daraja) -> None:
        daraja.instant = False
        await hook.post({}, self.body(1, code=2001))
        await daraja.asked()
        await daraja.tell(0, daraja.status(0, TransactionStatus="Failed"))
        assert (await hook.requests(1))[0]["status"] == "accepted"
        (event,) = await hook.events()
        assert event["data"]["confirmation"]["status"] == "Failed"

    async def test_a_replay_asks_anew(self, hook: Hook, daraja: Daraja) -> None:
        daraja.instant = False
        await hook.post({}, self.body(1))
        await daraja.asked()
        await daraja.tell(0, daraja.status(0, Amount=3))
        (kept,) = await hook.requests(1)
        assert kept["status"] == "rejected"
        assert (await hook.client.post(f"/api/v1/inbound-requests/{kept['id']}/replay")).is_success
        await daraja.asked(2)
        await daraja.tell(0)  # what was asked before is over
        await daraja.tell(1)
        assert (await hook.requests(1))[0]["status"] == "accepted"
