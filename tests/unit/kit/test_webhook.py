"""Standard Webhooks: our own vectors, and four judges that did not read our code."""

import base64
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from crosstie.kit import webhook

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "vectors/webhooks.json").read_bytes()
)
SECRET = webhook.generate()


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=[vector["name"] for vector in VECTORS[kind]])


def independent(secret: str, id: str, timestamp: int, body: str) -> str:
    if secret.startswith("whsec_"):
        return standardwebhooks.Webhook(secret).sign(id, datetime.fromtimestamp(timestamp, UTC), body)
    key = SigningKey(base64.b64decode(secret.removeprefix("whsk_"))[:32])
    return "v1a," + base64.b64encode(key.sign(f"{id}.{timestamp}.{body}".encode()).signature).decode()


@named("sign")
def test_sign(vector: dict[str, Any]) -> None:
    signers = [webhook.signer(secret) for secret in vector["secrets"]]
    headers = webhook.headers(signers, vector["id"], vector["body"].encode(), vector["timestamp"])
    assert headers == {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }
    judged = [independent(one, vector["id"], vector["timestamp"], vector["body"]) for one in vector["secrets"]]
    assert headers["webhook-signature"] == " ".join(judged)


@named("verify")
def test_verify(vector: dict[str, Any]) -> None:
    checkers = [webhook.checker(key) for key in vector["keys"]]
    arguments = checkers, vector["headers"], vector["body"].encode(), vector["now"]
    if vector["reason"] is None:
        assert webhook.verify(*arguments) == vector["headers"]["webhook-id"]
    else:
        with pytest.raises(webhook.VerificationError) as caught:
            webhook.verify(*arguments)
        assert caught.value.reason == vector["reason"]


@named("secrets")
def test_unusable_secrets(vector: dict[str, Any]) -> None:
    for read in (webhook.signer, webhook.checker):
        with pytest.raises(webhook.SecretError) as caught:
            read(vector["secret"])
        assert len(vector["secret"]) < 10 or vector["secret"][6:] not in str(caught.value)


@pytest.mark.parametrize("judge", [standardwebhooks.Webhook, svix.Webhook])
@pytest.mark.parametrize("secrets", [[SECRET], [webhook.generate(), SECRET], [webhook.generate_pair()[0], SECRET]])
def test_judges_accept_v1(judge: Any, secrets: list[str]) -> None:
    body = '{"name":"Zoë"}'
    headers = webhook.headers(map(webhook.signer, secrets), "evt_1", body.encode())
    judge(SECRET).verify(body, headers)
    with pytest.raises((standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError)):
        judge(SECRET).verify(body + " ", headers)


def test_pynacl_accepts_v1a() -> None:
    secret, public = webhook.generate_pair()
    headers = webhook.headers([webhook.signer(secret)], "evt_1", b"{}", 7)
    signature = base64.b64decode(headers["webhook-signature"].removeprefix("v1a,"))
    VerifyKey(base64.b64decode(public.removeprefix("whpk_"))).verify(b"evt_1.7.{}", signature)
    private = webhook.signer(secret)
    assert isinstance(private, webhook.Private)
    assert private.public == public


def test_we_accept_the_judges() -> None:
    signature = standardwebhooks.Webhook(SECRET).sign("evt_1", datetime.now(UTC), "{}")
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": signature}
    assert webhook.verify([webhook.checker(SECRET)], headers, b"{}") == "evt_1"


def test_generated_secrets_are_new_and_long() -> None:
    secrets = {webhook.generate() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {32}


def test_an_id_with_a_full_stop_is_not_signed() -> None:
    with pytest.raises(ValueError, match="full stop"):
        webhook.headers([webhook.signer(SECRET)], "evt.1", b"")


@given(
    id=st.text(st.characters(codec="ascii", exclude_characters=".", exclude_categories=["Cc"]), min_size=1),
    body=st.binary(),
    now=st.integers(0, 10**11),
    drift=st.integers(-webhook.TOLERANCE, webhook.TOLERANCE),
    rotation=st.integers(1, 3),
)
def test_what_is_signed_is_verified(id: str, body: bytes, now: int, drift: int, rotation: int) -> None:
    secret, public = webhook.generate_pair()
    pairs = [(SECRET, SECRET), (secret, public)]
    headers = webhook.headers([webhook.signer(pair[0]) for pair in pairs * rotation], id, body, now)
    for _, key in pairs:
        assert webhook.verify([webhook.checker(key)], headers, body, now + drift) == id


@given(
    headers=st.dictionaries(st.sampled_from([webhook.ID, webhook.TIMESTAMP, webhook.SIGNATURE]), st.text()),
    signature=st.text(st.sampled_from("v1a, =+/éA\ud800\0"), max_size=200),
    body=st.binary(),
)
def test_a_stranger_causes_one_kind_of_error(headers: dict[str, str], signature: str, body: bytes) -> None:
    checkers = [webhook.checker(SECRET), webhook.checker(webhook.generate_pair()[1])]
    signed = headers | {webhook.ID: "evt_1", webhook.TIMESTAMP: "1000", webhook.SIGNATURE: signature}
    for attempt in (headers, signed):
        with pytest.raises(webhook.VerificationError):
            webhook.verify(checkers, attempt, body, 1000)
