"""Results of M-Pesa requests (B2C, reversal): asked about by `transactionstatus`, whose answer comes later.

Nothing is signed here either. So each question has an address of its own for its answer, which M-Pesa alone learns,
over TLS and after our credentials: what comes there comes from M-Pesa. It counts once, where it names the two ids that
M-Pesa gave our question, and says of the payment what the result said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from crosstie.deliver.inbound.confirm import Asked, Asker, Unsure
from crosstie.deliver.inbound.daraja import amount, ask, parts
from crosstie.deliver.inbound.knock import Knock, Refused, at
from crosstie.deliver.inbound.proof import Options
from crosstie.kit import clock, json

request = at("Result", "OriginatorConversationID")
_code, _receipt = at("Result", "ResultCode"), at("Result", "TransactionID")
#: how long an answer is waited for before M-Pesa is asked again
PATIENCE = timedelta(minutes=2)
#: what M-Pesa calls a payment that came about, and those that never will
DONE, LOST = "Completed", frozenset(("Failed", "Cancelled", "Declined", "Expired", "Reversed"))
IDS = ("OriginatorConversationID", "ConversationID")


async def confirm(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    """What M-Pesa answered; the question, where it was not put yet. Raises Asked, Unsure, Refused."""
    reply = knock.reply
    assert reply is not None
    if reply.asked is not None:
        if reply.answer is not None:
            found = _found(reply.answer, reply.asked)
            if found is not None:
                return _judged(knock, found, options)
        elif clock.now() - clock.parse(reply.asked["at"]) < PATIENCE:
            raise Unsure("M-Pesa has not answered yet")
    raise Asked("M-Pesa was asked; its answer comes later", await _question(asker, knock, key, options))


async def _question(asker: Asker, knock: Knock, key: str, options: Options) -> dict[str, Any]:
    """Ask about a payment; the ids by which the answer is known."""
    assert knock.reply is not None
    body = {
        "Initiator": options["initiator"],
        "SecurityCredential": parts(key)[2],
        "CommandID": "TransactionStatusQuery",
        "TransactionID": _receipt(knock) or "",
        "OriginatorConversationID": request(knock),
        "PartyA": options["shortcode"],
        "IdentifierType": "4",
        "ResultURL": knock.reply.address,
        "QueueTimeOutURL": knock.reply.address,
        "Remarks": "status",
        "Occasion": "",
    }
    found = await ask(asker, "/mpesa/transactionstatus/v1/query", body, key, options)
    ids = {name: found.get(name) for name in IDS}
    if str(found.get("ResponseCode")) != "0" or not all(isinstance(id, str) and id for id in ids.values()):
        raise Unsure(str(found.get("errorMessage") or "it took no question")[:200])
    return ids | {"number": knock.reply.number, "at": clock.format(clock.now())}


def _found(answer: bytes, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters of an answer to our question; None where it is none, such as that it could not be worked on."""
    try:
        result = json.loads(answer)["Result"]
        if any(result[name] != asked[name] for name in IDS) or str(result["ResultCode"]) != "0":
            return None
        return {each["Key"]: each.get("Value") for each in result["ResultParameters"]["ResultParameter"]}
    except (json.BadJson, KeyError, TypeError):
        return None


def _judged(knock: Knock, found: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Whether M-Pesa says of the payment what the result says."""
    status, good = found.get("TransactionStatus"), _code(knock) == "0"
    if status != DONE and status not in LOST:
        raise Unsure(f"the payment is {status}")
    named = dict(_parameters(knock))
    paid = amount(named.get("TransactionAmount", named.get("Amount")))
    same = str(found.get("ReceiptNo")) == _receipt(knock) and paid is not None and amount(found.get("Amount")) == paid
    payer = str(found.get("DebitPartyName", "")).partition(" ")[0]
    if good is not (status == DONE) or (good and not same) or payer not in ("", options["shortcode"]):
        raise Refused("mismatch")
    return {"by": "transactionstatus", "status": status, "amount": str(found.get("Amount", "")),
            "transaction_id": _receipt(knock)}  # fmt: skip


def _parameters(knock: Knock) -> list[tuple[str, Any]]:
    try:
        listed = knock.document["Result"]["ResultParameters"]["ResultParameter"]
        return [(each["Key"], each.get("Value")) for each in listed]
    except (KeyError, TypeError, AttributeError):
        return []
