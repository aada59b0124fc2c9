"""Proofs against vectors that their senders, or those senders' own kits, have published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.deliver.inbound import payfast
from crosstie.deliver.inbound.dialect import ALL, DIALECTS
from crosstie.deliver.inbound.knock import FORM, Knock, Refused, named
from crosstie.deliver.inbound.reading import speaks
from crosstie.deliver.inbound.source import SHAPES
from crosstie.kit import clock

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "inbound.md"


def usual(name: str, **options: Any) -> dict[str, Any]:
    return SHAPES[name].read(options, "", [])


def test_github_s_own_vector() -> None:
    mark = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    knock = Knock({"x-hub-signature-256": mark}, b"Hello, World!")
    DIALECTS["github"].prove(knock, "It's a Secret to Everybody", {})


def test_slack_s_own_vector() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14"
        b"d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "content-type": FORM,
    }
    knock = Knock(headers, body, at=clock.parse("2018-07-12T18:36:58Z"))
    DIALECTS["slack"].prove(knock, "8f742231b10e8888abcd99yyyzzz85a5", usual("slack"))
    assert DIALECTS["slack"].type(knock) == "/webhook-collect"


def test_twilio_s_own_vector() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    headers = {"x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "content-type": FORM}
    DIALECTS["twilio"].prove(Knock(headers, body, url), "12345", {})
    for other in (url.replace(".com", ".com:443"), url):
        DIALECTS["twilio"].prove(Knock(headers, body, other), "12345", {})
    with pytest.raises(Refused):
        DIALECTS["twilio"].prove(Knock(headers, body, url.replace("foo=1", "foo=2")), "12345", {})


FIELDS = (
    ("merchant_id", "10000100"), ("merchant_key", "46f0cd694581a"), ("return_url", "https://h.example/r?x=1&y=2"),
    ("notify_url", "https://h.example/n"), ("name_first", "Zoë"), ("email_address", "a+b@example.co.za"),
    ("m_payment_id", "INV 0001/7"), ("amount", "100.00"), ("item_name", "Geyser 150ℓ ~ fit & test (CoC) *'!"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("phrase", "mark"),
    [("", "b2a436c68ab1796c8bfd4be80cf2e0f8"), ("jt7NOE43FZPn", "2bcb2839994ba3409861b3ec51cc8feb")],
)
def test_payfast_s_own_kit_signs_the_same(phrase: str, mark: str) -> None:
    body = f"{payfast.encoded(FIELDS)}&signature={mark}".encode()
    payfast.prove(Knock({"content-type": FORM}, body), phrase, {})
    naive = body.replace(mark.encode(), b"e6028d75d9aef0a9bd9540c15559b374")
    with pytest.raises(Refused):
        payfast.prove(Knock({"content-type": FORM}, naive), phrase, {})


def test_standard_webhooks_vectors() -> None:
    at = clock.parse("2021-02-25T15:02:10Z")
    named = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    for key, mark in (
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (
            "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ),
    ):
        knock = Knock(named | {"webhook-signature": mark}, b'{"test": 2432232314}', at=at)
        DIALECTS["standard_webhooks"].prove(knock, key, usual("standard_webhooks"))
        with pytest.raises(Refused):
            DIALECTS["standard_webhooks"].prove(Knock(knock.headers, knock.body), key, usual("standard_webhooks"))


NAMES = sorted(
    {"authorization", "x-api-key", "x-signature", "x-moment", "stripe-signature", "x-twilio-signature", "signature",
     "webhook-id", "webhook-timestamp", "webhook-signature", "x-slack-signature", "x-slack-request-timestamp",
     "x-hub-signature-256", "x-xero-signature", "intuit-signature", "content-type"}
)  # fmt: skip
LIKELY = (FORM, "Basic eDp5", "Basic =", "t=1,v1=00", "1614265330", "sha256=0", "v0=", "Bearer x", "v1,==")
ANY = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=50)
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.one_of(st.sampled_from(LIKELY), ANY), max_size=6)


@given(st.sampled_from([each.name for each in ALL]), HEADERS, st.binary(max_size=200), st.text(min_size=1))
def test_no_stranger_is_let_in_or_breaks_anything(name: str, headers: dict[str, str], body: bytes, key: str) -> None:
    dialect, knock = DIALECTS[name], Knock(headers, body, "https://h.example/hooks/in_x?bodySHA256=00")
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" if name == "standard_webhooks" else f"{key} a secret that is none"
    for find in (dialect.id, dialect.type):
        said = find(knock)
        assert said is None or 0 < len(said) <= 300
    with pytest.raises(Refused):
        dialect.prove(knock, key, usual(name))


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"event_id": "e", "event_type": "a.b", "data": {}}, True),
        ({"event_type": "a.b", "data": {}}, True),
        ({"event_type": "a.b", "payload": {}, "id": "1", "aggregate_type": "a"}, True),
        ({"id": "1", "type": "a.b", "tenantId": "t", "data": {}}, True),
        ({"specversion": "1.0", "type": "a.b"}, True),
        ({"id": "evt_1", "type": "charge.succeeded", "data": {}}, False),
        ({"type": "a.b", "timestamp": "2026-01-01T00:00:00Z", "data": {}}, False),
        ({"event_type": 7, "data": {}}, False),
        ([{"specversion": "1.0", "type": "qbo.invoice.created.v1"}], False),
        (None, False),
    ],
)
def test_what_speaks_our_envelope(document: Any, answer: bool) -> None:
    assert speaks(document) is answer


def test_places_that_options_name() -> None:
    knock = Knock({"x-id": "h1"}, b'{"a/b": {"c": 7}, "t": true, "n": null, "l": [1]}')
    assert [named(place)(knock) for place in ("header:X-Id", "/a~1b/c", "/t", "/n", "/l", "/l/0", "/x", None)] == [
        "h1", "7", None, None, None, None, None, None,
    ]  # fmt: skip


def test_the_reference_names_every_dialect_and_option() -> None:
    text = PAGE.read_text("utf-8")
    for dialect in ALL:
        assert f"`{dialect.name}`" in text
        for option in dialect.options:
            assert f"`{option.name}`" in text, f"{dialect.name} {option.name}"
