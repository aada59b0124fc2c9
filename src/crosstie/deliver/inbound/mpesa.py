"""M-Pesa (Safaricom Daraja): its callbacks are not signed, so nothing counts until it is asked again.

- an STK callback by `stkpushquery`: the result must be the same
- a C2B confirmation among the transactions that `pulltransactions` lists around its time, with the same amount
- the result of a payment to somebody (B2C) or of a reversal by `transactionstatus`, which answers later (payout.py)

The secret is `<consumer secret>:<passkey>:<security credential>`; the passkey is needed for STK alone, the security
credential of the initiator (his password, encrypted with M-Pesa's certificate) for results alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from crosstie.deliver.inbound import payout
from crosstie.deliver.inbound.confirm import Asker, Unsure
from crosstie.deliver.inbound.daraja import JSON, amount, ask, parts
from crosstie.deliver.inbound.knock import Knock, Refused, at, first
from crosstie.deliver.inbound.proof import Options
from crosstie.kit import clock
from crosstie.log.idempotency import Answer

EAST = timezone(timedelta(hours=3))
#: how far around its time a payment is looked for
AROUND = timedelta(minutes=2)
THANKS = Answer(200, b'{"ResultCode":0,"ResultDesc":"Accepted"}', dict(JSON))

checkout = at("Body", "stkCallback", "CheckoutRequestID")
payment = at("TransID")
request = payout.request
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
    asked = {"stk": _stk, "c2b": _c2b, "result": payout.confirm}[kind(knock) or ""]
    secret, passkey, credential = parts(key)
    needed = ("consumer_key", "shortcode", *(("initiator",) if asked is payout.confirm else ()))
    missing = [name for name in needed if not options.get(name)]
    lacking = {_stk: not passkey, payout.confirm: not credential}.get(asked, False)
    missing += ["secret"] * (not secret or lacking)
    if missing:
        raise Unsure(f"the source lacks {', '.join(missing)}")
    return await asked(asker, knock, key, options)


async def _stk(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    moment = clock.now().astimezone(EAST).strftime("%Y%m%d%H%M%S")
    password = options["shortcode"] + parts(key)[1] + moment
    body = {
        "BusinessShortCode": options["shortcode"],
        "Password": b64encode(password.encode()).decode(),
        "Timestamp": moment,
        "CheckoutRequestID": checkout(knock),
    }
    found = await ask(asker, "/mpesa/stkpushquery/v1/query", body, key, options)
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
    found = await ask(asker, "/pulltransactions/v1/query", body, key, options)
    for each in _flat(found.get("Response")):
        if each.get("transactionId") == trans:
            paid = amount(knock.document.get("TransAmount"))
            if paid is None or amount(each.get("amount")) != paid:
                raise Refused("mismatch")
            return {"by": "pulltransactions", "amount": str(each.get("amount")), "transaction_id": trans}
    raise Unsure("it does not list the payment yet")


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
