"""M-Pesa (Safaricom Daraja): its callbacks are not signed, so nothing counts until it is asked again.

- an STK callback by `stkpushquery`: the result must be the same
- a C2B confirmation among the transactions that `pulltransactions` lists around its time, with the same amount
- results of other requests (B2C, reversal) have no question that answers at once: they never count by themselves

The secret is `<consumer secret>:<passkey>`; the passkey is needed for STK alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from crosstie.deliver.inbound.confirm import Asker, Unsure
from crosstie.deliver.inbound.knock import Knock, Refused, at, first
from crosstie.deliver.inbound.proof import Options
from crosstie.kit import clock, json
from crosstie.log.idempotency import Answer

EAST = timezone(timedelta(hours=3))
#: how far around its time a payment is looked for, and seconds that a token lasts less than it says
AROUND, EARLY = timedelta(minutes=2), 60.0
JSON = {"content-type": "application/json"}
THANKS = Answer(200, b'{"ResultCode":0,"ResultDesc":"Accepted"}', dict(JSON))

checkout = at("Body", "stkCallback", "CheckoutRequestID")
payment = at("TransID")
request = at("Result", "OriginatorConversationID")
id = first(checkout, payment, request)


def kind(knock: Knock) -> str | None:
    """Which of its callbacks it is."""
    for find, name in ((checkout, "stk"), (payment, "c2b"), (request, "result")):
        if find(knock):
            return name
    return None


def prove(knock: Knock, key: str, options: Options) -> None:
    """Nothing proves it: it must at least be one of the callbacks."""
    if kind(knock) is None:
        raise Refused("malformed")


async def confirm(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    """Ask M-Pesa about what a callback says."""
    asked = {"stk": _stk, "c2b": _c2b}.get(kind(knock) or "")
    if asked is None:
        raise Refused("unconfirmable")
    secret, _, passkey = key.partition(":")
    missing = [name for name in ("consumer_key", "shortcode") if not options.get(name)]
    missing += ["secret"] * (not secret or (asked is _stk and not passkey))
    if missing:
        raise Unsure(f"the source lacks {', '.join(missing)}")
    return await asked(asker, knock, key, options)


async def _stk(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    moment = clock.now().astimezone(EAST).strftime("%Y%m%d%H%M%S")
    password = options["shortcode"] + key.partition(":")[2] + moment
    body = {
        "BusinessShortCode": options["shortcode"],
        "Password": b64encode(password.encode()).decode(),
        "Timestamp": moment,
        "CheckoutRequestID": checkout(knock),
    }
    found = await _asked(asker, "/mpesa/stkpushquery/v1/query", body, key, options)
    result = found.get("ResultCode")
    if result is None:  # 500.001.1001: the transaction is being processed
        raise Unsure(str(found.get("errorMessage") or "it has no result yet")[:200])
    if found.get("CheckoutRequestID") != body["CheckoutRequestID"]:
        raise Unsure("it answered about another request")
    if str(result) != at("Body", "stkCallback", "ResultCode")(knock):
        raise Refused("mismatch")
    return {"by": "stkpushquery", "result_code": str(result), "result": str(found.get("ResultDesc", ""))[:300]}


async def _c2b(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    trans = payment(knock)
    about = _time(at("TransTime")(knock), knock.at)
    body = {
        "ShortCode": options["shortcode"],
        "StartDate": (about - AROUND).astimezone(EAST).strftime("%Y-%m-%d %H:%M:%S"),
        "EndDate": (about + AROUND).astimezone(EAST).strftime("%Y-%m-%d %H:%M:%S"),
        "OffSetValue": "0",
    }
    found = await _asked(asker, "/pulltransactions/v1/query", body, key, options)
    for each in _flat(found.get("Response")):
        if each.get("transactionId") == trans:
            paid = _amount(knock.document.get("TransAmount"))
            if paid is None or _amount(each.get("amount")) != paid:
                raise Refused("mismatch")
            return {"by": "pulltransactions", "amount": str(each.get("amount")), "transaction_id": trans}
    raise Unsure("it does not list the payment yet")


async def _asked(asker: Asker, path: str, body: Mapping[str, Any], key: str, options: Options) -> dict[str, Any]:
    """The JSON of an answer. Its errors have bodies, too."""
    base = options["base_url"].rstrip("/")
    named = (base, options["consumer_key"], key)

    async def fetch() -> tuple[str, float]:
        pair = f"{options['consumer_key']}:{key.partition(':')[0]}".encode()
        headers = {"authorization": f"Basic {b64encode(pair).decode()}"}
        status, found = await asker.ask("GET", f"{base}/oauth/v1/generate?grant_type=client_credentials", headers)
        document = _object(found)
        if status != 200 or not isinstance(document.get("access_token"), str):
            raise Unsure(f"it gave no access token ({status})")
        until = str(document.get("expires_in", ""))
        return document["access_token"], (float(until) if until.isdigit() else 0.0) - EARLY

    token = await asker.token(named, fetch)
    headers = JSON | {"authorization": f"Bearer {token}"}
    status, found = await asker.ask("POST", base + path, headers, json.dumps(body))
    if status == 401:
        asker.forget(named)
    if status >= 400 and not _object(found).get("errorMessage"):
        raise Unsure(f"it answered {status}")
    return _object(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except json.BadJson:
        return {}
    return found if isinstance(found, dict) else {}


def _flat(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value if isinstance(value, list) else ():
        yield from _flat(each)


def _time(text: str | None, other: datetime) -> datetime:
    try:
        return datetime.strptime(text or "", "%Y%m%d%H%M%S").replace(tzinfo=EAST).astimezone(UTC)
    except ValueError:
        return other


def _amount(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
