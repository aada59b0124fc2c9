"""Proofs: what shows that a request comes from whom it says. Each refuses by raising Refused; comparisons take the same
time wherever they differ.

A proof is (knock, key, options) → None. Most are one declared `Hmac`; the few others are functions.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from crosstie.deliver.inbound.knock import Knock, Refused
from crosstie.kit import crypto, webhook

Options = Mapping[str, Any]
Proof = Callable[[Knock, str, Options], None]
#: entries of one header that are looked at
ENTRIES = 16
SECONDS = 300


@dataclass(frozen=True, slots=True)
class Hmac:
    """An HMAC in a header, over the body or a template with `{body}` and `{timestamp}`."""

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    signed: str = "{body}"
    #: the header with the Unix seconds at which it was signed
    timestamp: str | None = None

    def __call__(self, knock: Knock, key: str, options: Options) -> None:
        given = header(knock, self.header)
        moment = ""
        if self.timestamp:
            moment = header(knock, self.timestamp)
            fresh(knock, moment, options)
        if not given.startswith(self.prefix):
            raise Refused("bad_signature")
        before, _, after = self.signed.replace("{timestamp}", moment).partition("{body}")
        content = before.encode("latin-1", "replace") + knock.body + after.encode("latin-1", "replace")
        expected = hmac.digest(key.encode(), content, self.algorithm)
        if not hmac.compare_digest(expected, raw(given.removeprefix(self.prefix), self.encoding)):
            raise Refused("bad_signature")


def header(knock: Knock, name: str) -> str:
    """A header that must be there."""
    found = knock.headers.get(name)
    if not found:
        raise Refused("missing_header")
    return found


def raw(text: str, encoding: str) -> bytes:
    """The bytes of a signature; none where it is malformed."""
    try:
        if encoding == "hex":
            return binascii.unhexlify(text.encode("ascii"))
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        return b""


def fresh(knock: Knock, moment: str, options: Options) -> None:
    """Refuse what was signed too long before, or after, it came."""
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
        raise Refused("bad_timestamp")
    drift = int(moment) - knock.at.timestamp()
    if abs(drift) > options.get("tolerance_seconds", SECONDS):
        raise Refused("too_new" if drift > 0 else "too_old")


def ruled(knock: Knock, key: str, options: Options) -> None:
    """An HMAC by the rules in the source's options."""
    stamp = options.get("timestamp_header")
    rule = Hmac(
        options["header"].lower(),
        options["algorithm"],
        options["encoding"],
        options["prefix"],
        options["signed"],
        stamp.lower() if stamp else None,
    )
    rule(knock, key, options)


def standard(knock: Knock, key: str, options: Options) -> None:
    """Standard Webhooks 1.0, with a shared secret or a public key."""
    fresh(knock, header(knock, webhook.TIMESTAMP), options)
    try:
        # how far the clock may be off is the options' affair
        moment = int(knock.headers[webhook.TIMESTAMP])
        webhook.verify([webhook.checker(key)], knock.headers, knock.body, moment)
    except webhook.VerificationError as error:
        raise Refused("bad_signature" if error.reason == "no_match" else error.reason) from None


def stripe(knock: Knock, key: str, options: Options) -> None:
    """`Stripe-Signature: t=…,v1=…`; while a secret is rolled there are several v1."""
    pairs = [part.strip().partition("=") for part in header(knock, "stripe-signature").split(",", ENTRIES)[:ENTRIES]]
    moment = next((value for name, _, value in pairs if name == "t"), "")
    fresh(knock, moment, options)
    expected = hmac.digest(key.encode(), moment.encode() + b"." + knock.body, "sha256")
    found = False
    for name, _, value in pairs:
        found |= name == "v1" and hmac.compare_digest(expected, raw(value, "hex"))
    if not found:
        raise Refused("bad_signature")


def twilio(knock: Knock, key: str, options: Options) -> None:
    """The address and the sorted fields of the form; of another body its digest, which is then in the address."""
    given = raw(header(knock, "x-twilio-signature"), "base64")
    fields = sorted(set(knock.form))
    content = "".join(name + value for name, value in fields)
    digests = parse_qs(urlsplit(knock.url).query).get("bodySHA256")
    if digests:
        content = ""
        if not hmac.compare_digest(sha256(knock.body).digest(), raw(digests[0], "hex")):
            raise Refused("bad_signature")
    elif knock.body and not fields:  # nothing would vouch for it
        raise Refused("bad_signature")
    # a shared key of Twilio's says so in a header; whoever has neither key gains nothing by it
    shared = "algorithm=HMAC_SHA256" in knock.headers.get("x-twilio-webhooks-signature-settings", "")
    found = False
    for url in _ports(knock.url):
        signed = (url + content).encode("utf-8", "surrogateescape")
        found |= hmac.compare_digest(hmac.digest(key.encode(), signed, "sha256" if shared else "sha1"), given)
    if not found:
        raise Refused("bad_signature")


def _ports(url: str) -> list[str]:
    """The address with and without its port: senders differ in what they sign."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return [urlunsplit(parts._replace(netloc=each)) for each in (f"{host}:{port}", host)]


def basic(knock: Knock, key: str, options: Options) -> None:
    """HTTP Basic. Without the option `username` the secret is `name:password`, or the password of any name."""
    scheme, _, coded = header(knock, "authorization").partition(" ")
    try:
        given = b64decode(coded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        given = b""
    _, mark, password = given.partition(b":")
    user = options.get("username")
    whole = f"{user}:{key}" if user is not None else key
    fits = crypto.same(given, whole)
    fits |= user is None and bool(mark) and crypto.same(password, key)
    if not fits:
        raise Refused("bad_credential")


def api_key(knock: Knock, key: str, options: Options) -> None:
    """A key in a header, or as a bearer token."""
    given = knock.headers.get(options["header"].lower()) or header(knock, "authorization")
    if given[:7].lower() == "bearer ":
        given = given[7:].strip()
    if not crypto.same(given.encode("latin-1", "replace"), key):
        raise Refused("bad_credential")
