"""Receipts: what a provider says later of a message that it took. They come in by an inbound source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstie.db.statement import Statement
from crosstie.log.event import Event
from crosstie.log.unit import Unit
from crosstie.modules.notifications.message import Message, tell

#: dialect of the source → fields of the message's id, its status, and why it failed
FIELDS = {"twilio": ("MessageSid", "MessageStatus", "ErrorCode")}
#: Africa's Talking signs nothing: its source asks for a password or key
USUAL = ("id", "status", "failureReason")
ARRIVED = frozenset(("delivered", "read", "success"))
LOST = frozenset(("failed", "undelivered", "rejected"))
#: why → why no further message will arrive either
FINAL = {
    "30005": "unknown_address", "30006": "unknown_address", "21610": "stopped", "UserInBlacklist": "stopped",
    "InvalidPhoneNumber": "unknown_address", "UserAccountSuspended": "undelivered",
}  # fmt: skip
_SENT = Statement(
    "SELECT * FROM messages WHERE provider_message_id = $1::text AND status = 'sent' AND channel IN ('sms', 'whatsapp')"
    " ORDER BY id LIMIT 1 FOR UPDATE",
    ["id"],
)


def about(data: Mapping[str, Any]) -> bool:
    """Whether a webhook may be a receipt: most are not, and are no work."""
    body = data["body"]
    named, status, _ = FIELDS.get(data["dialect"], USUAL)
    if not isinstance(body, dict) or not isinstance(body.get(named), str):
        return False
    return str(body.get(status) or "").lower() in ARRIVED | LOST


async def note(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """After a webhook that may be a receipt: where it is about a message of ours, that says so."""
    body = data["body"]
    named, status, why = FIELDS.get(data["dialect"], USUAL)
    word = str(body[status]).lower()
    rows = await unit.fetch(_SENT, id=body[named])
    if not rows:
        return
    row = Message.view(rows[0])
    if word in ARRIVED:
        tell(unit, "delivered", unit.update(row, {"status": "delivered"}))
        return
    said = str(body.get(why) or "")[:500]
    reason = FINAL.get(said, "undelivered")
    tell(unit, "failed", unit.update(row, {"status": "failed", "reason": reason, "detail": said or None}))
