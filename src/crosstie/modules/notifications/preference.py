"""Preferences: what one person wants to hear of, how, and when not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.access.setting import CLOCK
from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, column, many, ref, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Nested, fault
from crosstie.kit.locale import LANGUAGES
from crosstie.log import change
from crosstie.log.unit import Unit
from crosstie.modules.notifications.built import MANDATORY
from crosstie.modules.notifications.message import CHANNELS
from crosstie.modules.notifications.template import NAME

ANY = "*"
CHOICE = Nested(
    (
        Field(kinds.Text(60, 1, pattern=rf"^\*$|{NAME}"), name="category", doc="Of what; * for all.", default=ANY),
        Field(kinds.Choice((*CHANNELS, ANY)), name="channel", doc="Over which channel; * for all.", default=ANY),
        Field(kinds.Choice(("at_once", "digest", "never")), name="wanted", doc="When."),
    )
)


class NotificationPreference(Record):
    """What one person wants to be told: a user, or somebody who has only an address."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[UUID | None] = ref("users", nullable=True, doc="The user; or send `address`.")
    address: Mapped[str | None] = text(
        2000, min=3, nullable=True, personal=True, doc="The address or number of somebody who is no user."
    )
    locale: Mapped[str | None] = choice(*LANGUAGES, nullable=True, doc="Their language; unless given, the firm's.")
    time_zone: Mapped[str | None] = column(Field(kinds.Zone(), nullable=True, doc="Where they are; else the firm's."))
    quiet_from: Mapped[str | None] = text(5, pattern=CLOCK, nullable=True, doc="From then on they are not disturbed.")
    quiet_until: Mapped[str | None] = text(5, pattern=CLOCK, nullable=True, doc="Until then.")
    digest_at: Mapped[str] = text(5, pattern=CLOCK, default="08:00", doc="When they get their digest.")
    choices: Mapped[list[dict[str, Any]]] = many(
        CHOICE, max=200, doc="What they want; of several that fit the closest counts, and at last `at_once`."
    )


async def _rule(unit: Unit, before: NotificationPreference | None, values: dict[str, Any]) -> None:
    row = (before.__dict__ if before else {}) | values
    if before is None and (row.get("user_id") is None) == (row.get("address") is None):
        raise fault("/user_id", "required", "must be sent, or address: one of the two")
    if values.get("address"):
        values["address"] = values["address"].strip().lower()
    if (row.get("quiet_from") is None) != (row.get("quiet_until") is None):
        raise fault("/quiet_until", "required", "quiet hours have a beginning and an end: send both, or neither")
    for number, each in enumerate(values.get("choices") or ()):
        if each["category"] in MANDATORY and each["wanted"] != "at_once":
            raise fault(f"/choices/{number}/category", "mandatory", "these messages cannot be given up")


WRITTEN = (
    NotificationPreference.locale,
    NotificationPreference.time_zone,
    NotificationPreference.quiet_from,
    NotificationPreference.quiet_until,
    NotificationPreference.digest_at,
    NotificationPreference.choices,
)
PREFERENCES = Resource(
    row=NotificationPreference,
    name="notification-preferences",
    read=(NotificationPreference.id, NotificationPreference.user_id, NotificationPreference.address, *WRITTEN,
          NotificationPreference.created_at, NotificationPreference.updated_at),
    write=WRITTEN,
    once=(NotificationPreference.user_id, NotificationPreference.address),
    own=NotificationPreference.user_id,
    filter=(NotificationPreference.user_id, NotificationPreference.address),
    unique=((NotificationPreference.user_id,), (NotificationPreference.address,)),
    rule=_rule,
)  # fmt: skip

#: a user's wishes are those of his address, too, whoever writes to it
_OF = Statement(
    "SELECT p.*, u.email FROM notification_preferences p LEFT JOIN users u ON u.id = p.user_id"
    " WHERE p.user_id = ANY ($1::uuid[]) OR p.address = ANY ($2::text[]) OR u.email = ANY ($2::text[])",
    ["users", "addresses"],
)
_ONE = Statement(
    "SELECT * FROM notification_preferences WHERE user_id = $1::uuid OR address = $2::text FOR UPDATE",
    ["user", "address"],
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants, where anybody said."""

    row: Mapping[str, Any]

    def get(self, name: str, otherwise: str | None) -> str | None:
        """A setting of theirs, or the firm's."""
        return self.row.get(name) or otherwise

    def wanted(self, category: str, channel: str) -> str:
        """When they want messages of a category over a channel: at_once, digest, never."""
        if category in MANDATORY:
            return "at_once"
        best, rank = "at_once", -1
        for each in self.row.get("choices", ()):
            if each["category"] in (category, ANY) and each["channel"] in (channel, ANY):
                close = 2 * (each["category"] != ANY) + (each["channel"] != ANY)
                if close >= rank:
                    best, rank = each["wanted"], close
        return best


@dataclass(frozen=True, slots=True)
class Wishes:
    """What several people want."""

    known: Mapping[UUID | str, tuple[Wish, ...]]

    def of(self, user: UUID | None, address: str) -> tuple[Wish, ...]:
        """What was said for a user, then for an address; the first speaks for hours and language."""
        own = self.known.get(user, ()) if user else ()
        return own + tuple(each for each in self.known.get(address, ()) if each not in own)


def wanted(wishes: Sequence[Wish], category: str, channel: str) -> str:
    """When somebody wants messages of a category over a channel: never, where that was said anywhere."""
    said = [each.wanted(category, channel) for each in wishes]
    return "never" if "never" in said else said[0] if said else "at_once"


async def of(unit: Unit, users: Sequence[UUID], addresses: Sequence[str]) -> Wishes:
    """The wishes of these users and addresses."""
    found: dict[UUID | str, tuple[Wish, ...]] = {}
    for row in await unit.fetch(_OF, users=users, addresses=addresses):
        wish = Wish(dict(row))
        for key in (row["user_id"], row["address"], row["email"]):
            if key is not None:
                found[key] = (*found.get(key, ()), wish)
    return Wishes(found)


async def choose(unit: Unit, user: UUID | None, address: str, category: str, channel: str, wanted: str) -> None:
    """Note what somebody said about one kind of message, in place of all that was said of it before."""
    said = {"category": category, "channel": channel, "wanted": wanted}
    noted = False
    for row in map(NotificationPreference.view, await unit.fetch(_ONE, user=user, address=address)):
        others = [each for each in row.choices if (each["category"], each["channel"]) != (category, channel)]
        own = row.user_id is not None or user is None
        await change.update(unit, PREFERENCES, row, {"choices": [*others, said] if own else others})
        noted = noted or own
    if not noted:
        values = {"user_id": user, "address": None if user else address, "choices": [said], "digest_at": "08:00"}
        await change.create(unit, PREFERENCES, values)
