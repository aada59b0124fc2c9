"""Providers that are asked over HTTP, each declared once: where, with which credential, in which form, and what its
answers mean. Field names and codes are those of the providers' own documentation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from crosstie.kit import json

Path = Sequence[str | int]
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Carrier:
    """One kind of provider; of `signed` the recipient's address is the one that is posted to.

    In `path` and `body` stand values in braces: to, text, title, id and the provider's options, such as `sender`. What
    stays empty is left out.
    """

    kind: str
    channels: tuple[str, ...]
    url: str
    path: str
    auth: Literal["basic", "header", "google", "signed"]
    body: Body
    form: Literal["form", "json"] = "form"
    #: with `basic` the option that is the user name, with `header` the header
    account: str = "account"
    #: options that a tenant must give
    options: tuple[str, ...] = ()
    #: where in an answer the provider's id of the message is, and its code
    id: Path = ()
    code: Path = ()
    #: codes of success, where the answer's status does not say it
    good: frozenset[Any] = frozenset()
    #: codes of what will never succeed → reason
    final: Mapping[Any, str] = field(default_factory=dict)
    #: what stands before an address on a channel
    prefix: Mapping[str, str] = field(default_factory=dict)

    def target(self, base: str | None, values: Mapping[str, str]) -> str:
        """The address that is posted to."""
        return (base or self.url).rstrip("/") + self.path.format_map(values)

    def content(self, values: Mapping[str, str]) -> tuple[bytes, str]:
        """Body and its type."""
        filled = _filled(self.body, values)
        if self.form == "json":
            return json.dumps(filled), "application/json"
        return urlencode(filled).encode(), "application/x-www-form-urlencoded"

    def credential(self, values: Mapping[str, str], secret: str) -> dict[str, str]:
        """The headers that show who asks; of `google` the secret is a token already, and what is signed needs none."""
        if self.auth == "signed":
            return {}
        if self.auth == "basic":
            pair = f"{values[self.account]}:{secret}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        if self.auth == "header":
            return {self.account: secret}
        return {"authorization": f"Bearer {secret}"}


def _filled(body: Any, values: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return body.format_map(values)
    found = {name: _filled(each, values) for name, each in body.items()}
    return {name: each for name, each in found.items() if each not in ("", {})}


def at(document: Any, path: Path) -> Any:
    """What stands at a place of an answer, or None."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


_RECIPIENT = ("SMSMessageData", "Recipients", 0)
CARRIERS = {
    each.kind: each
    for each in (
        Carrier(
            "africastalking", ("sms",), "https://api.africastalking.com", "/version1/messaging", "header",
            {"username": "{account}", "to": "{to}", "message": "{text}", "from": "{sender}"},
            account="apikey", options=("account",),
            id=(*_RECIPIENT, "messageId"), code=(*_RECIPIENT, "statusCode"), good=frozenset((100, 101, 102)),
            final={403: "unknown_address", 404: "unknown_address", 406: "stopped"},
        ),
        Carrier(
            "twilio", ("sms", "whatsapp"), "https://api.twilio.com", "/2010-04-01/Accounts/{account}/Messages.json",
            "basic",
            {"To": "{prefix}{to}", "From": "{prefix}{sender}", "Body": "{text}", "StatusCallback": "{status_callback}"},
            options=("account", "sender"), id=("sid",), code=("code",),
            final={21211: "unknown_address", 21214: "unknown_address", 21610: "stopped", 21614: "unknown_address"},
            prefix={"whatsapp": "whatsapp:"},
        ),
        Carrier(
            "fcm", ("push",), "https://fcm.googleapis.com", "/v1/projects/{account}/messages:send", "google",
            {"message": {"token": "{to}", "notification": {"title": "{title}", "body": "{text}"},
                         "data": {"message_id": "{id}"}}},
            form="json", options=("account",), id=("name",), code=("error", "details", 0, "errorCode"),
            final={"UNREGISTERED": "unknown_address", "INVALID_ARGUMENT": "refused"},
        ),
        Carrier(
            "webhook", ("webhook",), "", "", "signed", {"id": "{id}", "title": "{title}", "text": "{text}"},
            form="json",
        ),
    )
}  # fmt: skip
