"""The dialects, each signed by somebody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from urllib.parse import urlencode

import httpx2
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from tests.contract.dialect.suite import Aged, Covered, Hook, Proved, base, sealed


class TestStandardWebhooks(Aged):
    dialect, header = "standard_webhooks", "webhook-signature"
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    other = "whsec_" + base(b"another secret of 24 byte")

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        number = f"msg_{sha256(body).hexdigest()}"
        made = Webhook(secret).sign(number, datetime.fromtimestamp(at, UTC), body.decode())
        return {"webhook-id": number, "webhook-timestamp": str(at), "webhook-signature": made}


class TestStripe(Aged):
    dialect, header, secret = "stripe", "stripe-signature", "whsec_of_an_endpoint"

    def body(self, number: int) -> bytes:
        return json.dumps({"id": f"evt_{number}", "object": "event", "type": "charge.succeeded"}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
        return {"stripe-signature": header}

    async def test_a_rolled_secret_signs_beside_the_new_one(self, hook: Hook) -> None:
        body = self.body(1)
        ours = self.signed(hook, body)["stripe-signature"]
        moment, _, mark = ours.partition(",v1=")
        both = f"{moment},v0=abc,v1={'0' * 64},v1={mark}"
        stripe.Webhook.construct_event(body, both, hook.secret)
        assert (await hook.post({"stripe-signature": both}, body)).status_code == 200

    async def test_a_retry_that_says_a_little_else_is_the_same_event(self, hook: Hook) -> None:
        for pending in (1, 0):
            body = json.dumps({"id": "evt_1", "type": "t", "pending_webhooks": pending}).encode()
            assert (await hook.post(self.signed(hook, body), body)).is_success
        assert [each["status"] for each in await hook.requests(2)] == ["accepted", "duplicate"]


class TestGithub(Covered):
    dialect, header = "github", "x-hub-signature-256"

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        named = {"x-github-event": "push", "x-github-delivery": f"d-{body[:40].hex()}"}
        return named | {"x-hub-signature-256": f"sha256={sealed(secret, body).hex()}"}

    async def test_it_says_what_it_is(self, hook: Hook) -> None:
        body = self.body(1)
        await hook.post(self.signed(hook, body), body)
        (event,) = await hook.events()
        data = event["data"]
        assert (data["provider_event_type"], data["body"]) == ("push", json.loads(body))
        assert data["headers"]["x-github-event"] == "push"
        assert data["provider_event_id"] == event["event_id"]


class TestShopify(Covered):
    dialect, header = "shopify", "x-shopify-hmac-sha256"

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        named = {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": f"w-{body[:40].hex()}"}
        return named | {"x-shopify-hmac-sha256": base(sealed(secret, body))}


class TestSlack(Aged):
    dialect, header = "slack", "x-slack-signature"

    def body(self, number: int) -> bytes:
        document = {"type": "event_callback", "event_id": f"Ev{number}", "event": {"type": "app_mention"}}
        return json.dumps(document).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        made = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
        assert made is not None
        return {"x-slack-signature": made, "x-slack-request-timestamp": str(at)}

    async def test_a_challenge_is_answered_and_is_no_event(self, hook: Hook) -> None:
        body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}).encode()
        answer = await hook.post(self.signed(hook, body), body)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1aB"})
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["reason"], kept["event_id"]) == ("accepted", "greeting", None)
        assert await hook.events() == []
        assert (await hook.post({}, body)).status_code == 401


class TestTwilio(Covered):
    dialect, header, lasting = "twilio", "x-twilio-signature", False
    media = "application/x-www-form-urlencoded"

    def body(self, number: int) -> bytes:
        return urlencode({"MessageSid": f"SM{number}", "MessageStatus": "sent", "Body": "Zoë & co", "To": ""}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        fields = dict(httpx2.QueryParams(body.decode()))
        return {"x-twilio-signature": RequestValidator(secret).compute_signature(url, fields)}

    async def test_json_is_vouched_for_by_its_digest_in_the_address(self, hook: Hook) -> None:
        validator, body = RequestValidator(hook.secret), b'{"a":1}'
        url = f"{hook.url}?bodySHA256={validator.compute_hash(body.decode())}"
        headers = {"x-twilio-signature": validator.compute_signature(url, {}), "content-type": "application/json"}
        assert validator.validate(url, body.decode(), headers["x-twilio-signature"])
        assert (await hook.post(headers, b'{"a":2}', url)).status_code == 401
        assert (await hook.post(headers, body, url)).status_code == 200

    async def test_a_body_that_nothing_vouches_for_is_refused(self, hook: Hook) -> None:
        bare = RequestValidator(hook.secret).compute_signature(hook.url, {})
        headers = {"x-twilio-signature": bare, "content-type": "application/json"}
        assert (await hook.post(headers, b'{"forged":1}')).status_code == 401

    async def test_a_shared_key_signs_with_another_hash(self, hook: Hook) -> None:
        body = self.body(1)
        fields = dict(httpx2.QueryParams(body.decode()))
        made = RequestValidator(hook.secret).compute_signature(hook.url, fields, "HMAC_SHA256")
        headers = {"content-type": self.media, "x-twilio-signature": made}
        assert (await hook.post(headers, body)).status_code == 401
        headers["x-twilio-webhooks-signature-settings"] = "key=k1,algorithm=HMAC_SHA256"
        assert (await hook.post(headers, body)).status_code == 200

    async def test_the_port_may_be_left_out_or_put_in(self, hook: Hook) -> None:
        for number, port in enumerate((":80", "")):
            body, url = self.body(number), hook.url.replace(f":{httpx2.URL(hook.url).port}", port)
            fields = dict(httpx2.QueryParams(body.decode()))
            made = RequestValidator(hook.secret).compute_signature(url, fields)
            answer = await hook.post({"content-type": self.media, "x-twilio-signature": made}, body)
            # the port of the stage is no usual one: the judge takes it away, too, and puts no other in
            assert answer.is_success == RequestValidator(hook.secret).validate(hook.url, fields, made)


class TestXero(Covered):
    dialect, header = "xero", "x-xero-signature"

    def body(self, number: int) -> bytes:
        event = {"resourceId": f"r{number}", "eventCategory": "INVOICE", "eventType": "UPDATE"}
        numbers = {"firstEventSequence": number, "lastEventSequence": number}
        return json.dumps({"events": [event], **numbers, "entropy": "S0m3r4nd0mt3xt"}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"x-xero-signature": base(sealed(secret, body))}

    async def test_the_intent_to_receive_is_shown(self, hook: Hook) -> None:
        for entropy in ("a", "b"):
            body = json.dumps({"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": entropy})
            answer = await hook.post(self.signed(hook, body.encode()), body.encode())
            assert (answer.status_code, answer.content, "set-cookie" in answer.headers) == (200, b"", False)
            wrong = self.signed(hook, body.encode(), secret=self.other)
            assert (await hook.post(wrong, body.encode())).status_code == 401
        assert await hook.events() == []

    async def test_the_random_word_makes_no_other_event(self, hook: Hook) -> None:
        for entropy in (b"S0m3r4nd0mt3xt", b"another"):
            body = self.body(1).replace(b"S0m3r4nd0mt3xt", entropy)
            assert (await hook.post(self.signed(hook, body), body)).status_code == 200
        assert len(await hook.events()) == 1


class TestQuickbooks(Covered):
    dialect, header = "quickbooks", "intuit-signature"

    def body(self, number: int) -> bytes:
        return json.dumps([{"specversion": "1.0", "id": f"q{number}", "type": "qbo.invoice.created.v1"}]).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"intuit-signature": base(sealed(secret, body))}


class TestPaystack(Covered):
    dialect, header, secret = "paystack", "x-paystack-signature", "sk_test_of_an_account"

    def body(self, number: int) -> bytes:
        return json.dumps({"event": "charge.success", "data": {"id": number, "reference": f"r{number}"}}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"x-paystack-signature": sealed(secret, body, "sha512").hex()}


class TestPaytabs(Covered):
    dialect, header = "paytabs", "signature"

    def body(self, number: int) -> bytes:
        return json.dumps({"tran_ref": f"TST{number}", "payment_result": {"response_status": "A"}}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"signature": sealed(secret, body).hex()}


class TestHmac(Covered):
    """By the rules that stand without any option."""

    dialect, header = "hmac", "x-signature"

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"x-signature": sealed(secret, body).hex()}


class TestHmacWithRules(Aged):
    dialect, header = "hmac", "x-seal"
    options = MappingProxyType(
        {
            "header": "X-Seal",
            "algorithm": "sha512",
            "encoding": "base64",
            "prefix": "v2 ",
            "timestamp_header": "X-Moment",
            "signed": "{timestamp}:{body}",
            "event_id": "header:X-Delivery-ID",
            "event_type": "/name",
        }
    )

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        made = base(sealed(secret, b"%d:%b" % (at, body), "sha512"))
        return {"x-seal": f"v2 {made}", "x-moment": str(at), "x-delivery-id": f"d-{body[:40].hex()}"}

    async def test_it_says_what_it_is(self, hook: Hook) -> None:
        body = self.body(1)
        await hook.post(self.signed(hook, body), body)
        (event,) = await hook.events()
        assert event["event_id"] == event["data"]["provider_event_id"] == f"d-{body[:40].hex()}"
        assert event["data"]["provider_event_type"] == "Zoë"


class TestHmacSha1(Covered):
    dialect, header = "hmac", "x-signature"
    options = MappingProxyType({"algorithm": "sha1", "prefix": "sha1="})

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"x-signature": f"sha1={sealed(secret, body, 'sha1').hex()}"}


class TestBasic(Proved):
    dialect, header, lasting = "basic", "authorization", False
    options = MappingProxyType({"username": "party"})

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        flow = httpx2.BasicAuth("party", secret).sync_auth_flow(httpx2.Request("POST", url))
        return {"authorization": next(flow).headers["authorization"]}

    async def test_the_credential_is_not_kept(self, hook: Hook) -> None:
        body = self.body(1)
        await hook.post(self.signed(hook, body), body)
        (kept,) = await hook.requests(1)
        assert kept["headers"]["authorization"] == "***"


class TestApiKey(Proved):
    dialect, header, lasting = "api_key", "x-partner", False
    options = MappingProxyType({"header": "X-Partner"})

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        return {"x-partner": secret}

    async def test_a_bearer_token_is_taken_and_the_key_is_not_kept(self, hook: Hook) -> None:
        for headers in ({"authorization": f"Bearer {hook.secret}"}, {"x-partner": hook.secret}):
            assert (await hook.post(headers, self.body(1))).is_success
        kept = await hook.requests(2)
        assert [each["headers"].get("authorization") for each in kept] == ["***", None]
        assert kept[1]["headers"]["x-partner"] == "***"
