"""Dialects: how each kind of sender proves itself and what it says, as one table.

A new sender is an entry: the header and algorithm of its signature, where its ids and types stand, its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.deliver.inbound import mpesa, payfast, proof
from crosstie.deliver.inbound.confirm import Confirm
from crosstie.deliver.inbound.knock import Find, Knock, at, entry, first, head, joined, nothing
from crosstie.deliver.inbound.proof import SECONDS, Hmac, Proof
from crosstie.kit import ids, json, webhook
from crosstie.log.idempotency import Answer

PLACE = r"^(header:[A-Za-z0-9!#%&'*+.^_`|~-]{1,100}|/.{1,200})$"
OK = Answer(200)
NAME = r"^[A-Za-z0-9!#%&'*+.^_`|~-]{1,100}$"

#: what every source may say
IPS = Field(
    kinds.Many(kinds.Text(49)), name="ips", doc="Addresses or networks it is sent from; empty: any.", default=list
)
TOLERANCE = Field(
    kinds.Integer(1, 86_400), name="tolerance_seconds", doc="How old a signature may be.", default=SECONDS
)
PAYLOAD = Field(
    kinds.Choice(("auto", "raw")), name="payload", default="auto",
    doc="`auto`: a body in the form of our envelope, CloudEvents or a partner's outbox is the event that it names;"
    " `raw`: every body is `inbound.received`.",
)  # fmt: skip
SAYS = (
    Field(kinds.Text(300, pattern=PLACE), name="event_id", nullable=True, default=None,
          doc="Where the sender's id of an event stands: `header:X-Event-Id`, or a path such as `/data/id`."),
    Field(kinds.Text(300, pattern=PLACE), name="event_type", nullable=True, default=None,
          doc="Where its type stands."),
)  # fmt: skip
RULES = (
    Field(kinds.Text(100, pattern=NAME), name="header", doc="The header with the signature.", default="X-Signature"),
    Field(kinds.Choice(("sha256", "sha512", "sha1")), name="algorithm", doc="The hash.", default="sha256"),
    Field(kinds.Choice(("hex", "base64")), name="encoding", doc="How the signature is written.", default="hex"),
    Field(kinds.Text(100), name="prefix", doc="What stands before it.", default=""),
    Field(kinds.Text(200, pattern=r"\{body\}"), name="signed", default="{body}",
          doc="What is signed: text with `{body}`, and `{timestamp}` where `timestamp_header` names one."),
    Field(kinds.Text(100, pattern=NAME), name="timestamp_header", nullable=True, default=None,
          doc="The header with the Unix seconds of the signature."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of sender speaks. `id` and `type` say what it calls an event."""

    name: str
    doc: str
    prove: Proof
    id: Find = nothing
    type: Find = nothing
    #: headers that go into the event
    headers: tuple[str, ...] = ()
    options: tuple[Field, ...] = ()
    #: a body in our envelope is the event that it names
    envelopes: bool = False
    #: the answer to a greeting, which is no event
    greets: Callable[[Knock], Answer | None] | None = None
    #: nothing counts until the provider has said so
    confirm: Confirm | None = None
    #: what the sender wants to hear
    thanks: Answer = OK
    #: makes a secret where the caller gives none; senders that make it themselves have none here
    generate: Callable[[], str] | None = None
    #: raises where a secret cannot be used
    check: Callable[[str], object] | None = None
    #: it proves itself without a secret, too
    open: bool = False
    #: what is kept of a request proves it again; not so where the credential itself came with it
    lasting: bool = True


def _challenge(knock: Knock) -> Answer | None:
    """Slack asks once whether somebody listens (url_verification)."""
    word = at("challenge")(knock)
    if at("type")(knock) != "url_verification" or word is None:
        return None
    return Answer(200, json.dumps({"challenge": word}), {"content-type": "application/json"})


def _probe(knock: Knock) -> Answer | None:
    """Xero probes with no events in it, some signed wrongly on purpose (intent to receive)."""
    document = knock.document
    return Answer(200) if isinstance(document, dict) and document.get("events") == [] else None


def _xero(knock: Knock) -> str | None:
    """Xero gives no id: its numbers and events, without the random word that differs each time."""
    document = knock.document
    if not isinstance(document, dict):
        return None
    kept = {name: value for name, value in document.items() if name != "entropy"}
    return sha256(json.dumps(kept)).hexdigest()


def _password() -> str:
    return ids.random62(40)


ALL = (
    Dialect(
        "standard_webhooks", "Standard Webhooks 1.0: Crosstie itself, Svix, Yoco and others.", proof.standard,
        id=head("webhook-id"), type=at("type"), headers=("webhook-id", "webhook-timestamp"),
        options=(TOLERANCE, PAYLOAD), envelopes=True, generate=webhook.generate, check=webhook.checker,
    ),
    Dialect(
        "stripe", "Stripe.", proof.stripe, id=at("id"), type=at("type"), options=(TOLERANCE,),
    ),
    Dialect(
        "github", "GitHub.", Hmac("x-hub-signature-256", prefix="sha256="), id=head("x-github-delivery"),
        type=head("x-github-event"), headers=("x-github-event", "x-github-delivery", "x-github-hook-id"),
    ),
    Dialect(
        "shopify", "Shopify.", Hmac("x-shopify-hmac-sha256", encoding="base64"), id=head("x-shopify-webhook-id"),
        type=head("x-shopify-topic"),
        headers=("x-shopify-topic", "x-shopify-shop-domain", "x-shopify-webhook-id", "x-shopify-event-id",
                 "x-shopify-api-version", "x-shopify-triggered-at"),
    ),
    Dialect(
        "slack", "Slack.",
        Hmac("x-slack-signature", prefix="v0=", signed="v0:{timestamp}:{body}", timestamp="x-slack-request-timestamp"),
        id=at("event_id"), type=first(at("event", "type"), at("type"), entry("command")), options=(TOLERANCE,),
        headers=("x-slack-retry-num", "x-slack-retry-reason"), greets=_challenge,
    ),
    Dialect(
        "twilio", "Twilio.", proof.twilio, id=head("i-twilio-idempotency-token"),
        type=first(entry("MessageStatus"), entry("CallStatus"), entry("SmsStatus")),
        headers=("i-twilio-idempotency-token",), lasting=False,
    ),
    Dialect(
        "xero", "Xero.", Hmac("x-xero-signature", encoding="base64"), id=_xero, greets=_probe,
    ),
    Dialect(
        "quickbooks", "QuickBooks (Intuit).", Hmac("intuit-signature", encoding="base64"),
        headers=("intuit-notification-schema-version", "intuit-t-id", "intuit-created-time"),
    ),
    Dialect(
        "paystack", "Paystack; the secret is the account's secret key.",
        Hmac("x-paystack-signature", algorithm="sha512"), type=at("event"),
    ),
    Dialect(
        "payfast", "PayFast (ITN); the secret is the passphrase, if there is one.", payfast.prove,
        id=joined(entry("pf_payment_id"), entry("payment_status")), type=entry("payment_status"), open=True,
        confirm=payfast.confirm,
        options=(
            Field(kinds.Text(50), name="merchant_id", doc="The only merchant that counts.", nullable=True,
                  default=None),
            Field(kinds.Text(500, format="uri"), name="base_url", doc="Where PayFast is asked.",
                  default="https://www.payfast.co.za"),
        ),
    ),
    Dialect(
        "paytabs", "PayTabs; the secret is the server key.", Hmac("signature"),
        id=joined(at("tran_ref"), at("payment_result", "response_status")),
        type=at("payment_result", "response_status"),
    ),
    Dialect(
        "mpesa", "M-Pesa (Daraja); the secret is `<consumer secret>:<passkey>:<security credential>`.", mpesa.prove,
        id=mpesa.id, type=mpesa.kind, open=True, confirm=mpesa.confirm, thanks=mpesa.THANKS,
        options=(
            Field(kinds.Text(200), name="consumer_key", doc="The app's consumer key.", nullable=True, default=None),
            Field(kinds.Text(20, pattern=r"^\d+$"), name="shortcode", doc="The paybill or till.", nullable=True,
                  default=None),
            Field(kinds.Text(100), name="initiator", doc="Who asks about results, by name.", nullable=True,
                  default=None),
            Field(kinds.Text(500, format="uri"), name="base_url", doc="Where M-Pesa is asked.",
                  default="https://api.safaricom.co.ke"),
        ),
    ),
    Dialect(
        "hmac", "Any HMAC in a header.", proof.ruled, options=(*RULES, TOLERANCE, *SAYS, PAYLOAD), envelopes=True,
        generate=_password,
    ),
    Dialect(
        "basic", "HTTP Basic; the secret is the password, or `name:password`.", proof.basic, envelopes=True,
        options=(
            Field(kinds.Text(200), name="username", doc="The name.", nullable=True, default=None), *SAYS, PAYLOAD,
        ),
        generate=_password, lasting=False,
    ),
    Dialect(
        "api_key", "A key in a header.", proof.api_key, envelopes=True,
        options=(
            Field(kinds.Text(100, pattern=NAME), name="header", doc="The header; a bearer token is taken, too.",
                  default="X-API-Key"),
            *SAYS, PAYLOAD,
        ),
        generate=_password, lasting=False,
    ),
)  # fmt: skip
DIALECTS: Mapping[str, Dialect] = {each.name: each for each in ALL}
