"""Daraja, M-Pesa's API, as far as it is asked about what came from it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from crosstie.deliver.inbound.confirm import Asker, Unsure
from crosstie.deliver.inbound.proof import Options
from crosstie.kit import json

#: seconds that a token lasts less than it says
EARLY = 60.0
JSON = {"content-type": "application/json"}


def parts(key: str) -> tuple[str, str, str]:
    """Consumer secret, passkey and security credential; what is not there is empty."""
    secret, passkey, credential, *_ = (*key.split(":", 2), "", "")
    return secret, passkey, credential


async def ask(asker: Asker, path: str, body: Mapping[str, Any], key: str, options: Options) -> dict[str, Any]:
    """The JSON of an answer. Its errors have bodies, too."""
    base = options["base_url"].rstrip("/")
    named = (base, options["consumer_key"], key)

    async def fetch() -> tuple[str, float]:
        pair = f"{options['consumer_key']}:{parts(key)[0]}".encode()
        headers = {"authorization": f"Basic {b64encode(pair).decode()}"}
        status, found = await asker.ask("GET", f"{base}/oauth/v1/generate?grant_type=client_credentials", headers)
        document = _document(found)
        if status != 200 or not isinstance(document.get("access_token"), str):
            raise Unsure(f"it gave no access token ({status})")
        until = str(document.get("expires_in", ""))
        return document["access_token"], (float(until) if until.isdigit() else 0.0) - EARLY

    token = await asker.token(named, fetch)
    headers = JSON | {"authorization": f"Bearer {token}"}
    status, found = await asker.ask("POST", base + path, headers, json.dumps(body))
    if status == 401:
        asker.forget(named)
    if status >= 400 and not _document(found).get("errorMessage"):
        raise Unsure(f"it answered {status}")
    return _document(found)


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except json.BadJson:
        return {}
    return found if isinstance(found, dict) else {}


def amount(value: Any) -> Decimal | None:
    """A number as Daraja writes it, with or without quotes."""
    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
