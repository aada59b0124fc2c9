"""The built-in provider of the notifications service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crosstie.access import setting as settings
from crosstie.declare.service import Provider
from crosstie.errors import Fault, Invalid
from crosstie.kit import ids, json
from crosstie.log.unit import Unit
from crosstie.modules.notifications import attach, audience
from crosstie.modules.notifications.address import normal
from crosstie.modules.notifications.ask import Request, ask
from crosstie.modules.notifications.audience import Recipient

#: bytes of the values that a message is filled in with: each recipient's record keeps them
LARGEST = 65_536


async def send_message(unit: Unit, given: Mapping[str, Any]) -> dict[str, Any]:
    """One message to each recipient. The same request again makes none: by its `metadata.request_id` it is known.

    Raises TemplateUnknown; Invalid for an address that is none of the channel, and for values that do not fit.
    """
    said: Mapping[str, Any] = given.get("metadata") or {}
    channel = given["channel"]
    attachments = await attach.named(unit, channel, given.get("attachments") or ())
    people = await _people(unit, channel, "/to", given["to"])
    people += await _people(unit, channel, "/cc", given.get("cc") or ())
    data = dict(given.get("data") or {})
    if given["template"] == "plain" and "subject" in said:
        data.setdefault("subject", said["subject"])
    if len(json.dumps(data)) > LARGEST:
        raise Invalid("There is too much data.", errors=[Fault("/data", "length", f"has at most {LARGEST} bytes")])
    id = _word(said, "request_id") or ids.fresh()
    made = await ask(
        unit,
        Request(
            id, given["template"], people, (channel,), data, given.get("locale"),
            source=_word(said, "source_service"), reference=_word(said, "reference"), attachments=attachments,
        ),
    )  # fmt: skip
    messages = [{"id": str(row.id), "to": row.address, "status": row.status} for row in made.messages]
    return {"request_id": id, "status": "duplicate" if made.repeated else "queued", "messages": messages}


async def _people(unit: Unit, channel: str, pointer: str, named: Sequence[Any]) -> list[Recipient]:
    """Each recipient: a user by id, or an address of the channel."""
    country = (await settings.read(unit))["business"]["country"]
    users = {str(each.user_id): each for each in await audience.users(unit, [w for w in named if isinstance(w, str)])}
    found, faults = [], []
    for number, word in enumerate(named):
        user = users.get(word.lower()) if isinstance(word, str) else None
        if user is not None and channel in dict(user.addresses):
            found.append(user)
        elif isinstance(word, str) and channel != "in_app" and normal(channel, word, country) is not None:
            found.append(Recipient(addresses=((channel, word),)))
        else:
            faults.append(
                Fault(f"{pointer}/{number}", "address", f"is no address for {channel}, nor a user who has one")
            )
    if faults:
        raise Invalid("A recipient cannot be reached over this channel.", errors=faults)
    return found


def _word(said: Mapping[str, Any], name: str) -> str | None:
    """A word of the caller's own about the request."""
    value = said.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        fault = Fault(f"/metadata/{name}", "length", "must be a text of at most 100 characters")
        raise Invalid("A value of metadata cannot be kept.", errors=[fault])
    return value


NOTIFICATIONS = Provider("notifications", {"send_message": send_message})
