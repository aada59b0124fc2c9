"""Rules: which events become messages, to whom, over which channels. Those of Crosstie itself, and a tenant's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.access import scope
from crosstie.declare import kind as kinds
from crosstie.declare.field import choice, many, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import fault
from crosstie.errors import TemplateUnknown
from crosstie.log import registry
from crosstie.log.unit import Unit
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.audience import AUDIENCE
from crosstie.modules.notifications.message import CHANNELS

USUAL = ("email", "in_app")


@dataclass(frozen=True, slots=True)
class Following:
    """What follows from an event. `otherwise` are told where the audience is nobody."""

    event_type: str
    template: str
    audience: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    channels: tuple[str, ...] = USUAL
    id: UUID | None = None


OFFICE = ("role:owner", "role:admin")
BUILT = {
    each.event_type: each
    for each in (
        Following("user.invited", "user.invited", ("user:subject",), channels=("email",)),
        Following("user.reset_requested", "user.reset_requested", ("user:subject",), channels=("email",)),
        Following("user.password_set", "user.password_set", ("user:subject",)),
        Following(
            "erp.payroll.processed", "erp.payroll.processed",
            ("user:employees.employee_id", "email:employees.email"), OFFICE,
        ),
        Following("erp.leave.requested", "erp.leave.requested", ("user:approver_id", "email:approver.email"), OFFICE),
        Following("erp.leave.approved", "erp.leave.approved", ("user:employee_id", "email:employee.email"), OFFICE),
        Following("erp.leave.rejected", "erp.leave.rejected", ("user:employee_id", "email:employee.email"), OFFICE),
        Following(
            "erp.order.created", "erp.order.created",
            ("client:customer_id", "email:customer.email", "email:customer_email"), OFFICE,
        ),
        Following("erp.campaign.sent", "erp.campaign.sent", ("user:owner_id",), OFFICE),
        Following("erp.lead.qualified", "erp.lead.qualified", ("user:owner_id",), OFFICE),
        Following(
            "erp.purchase_order.created", "erp.purchase_order.created",
            ("user:approver_id", "email:vendor.email", "email:vendor_email"), OFFICE,
        ),
        Following(
            "erp.work_order.completed", "erp.work_order.completed", ("user:supervisor_id",), ("role:staff", *OFFICE),
        ),
        Following("alert.firing", "alert.firing", ("role:admin", "role:developer"), ("role:owner",)),
        Following("alert.resolved", "alert.resolved", ("role:admin", "role:developer"), ("role:owner",)),
    )
}  # fmt: skip


class NotificationRule(Record):
    """What a tenant wants to follow from a type of event, in place of what follows without it."""

    __tablename__ = "notification_rules"
    __table_args__ = ({"info": {"reach": "batch", "batch": "SELECT"}},)

    event_type: Mapped[str] = text(200, min=3, doc="The type of event.")
    template: Mapped[str] = text(100, min=1, pattern=templates.NAME, doc="The template of the messages.")
    channels: Mapped[list[str]] = many(
        kinds.Choice(CHANNELS), min=1, max=6, default=lambda: list(USUAL), doc="How they go."
    )
    audience: Mapped[list[str]] = many(
        kinds.Text(120, pattern=AUDIENCE), min=1, max=20, doc="Who is told: role:owner, or by a field of the event's"
        " data user:approver_id, email:contact.email, phone:contact.phone, client:customer_id."
    )  # fmt: skip
    otherwise: Mapped[list[str]] = many(
        kinds.Text(120, pattern=AUDIENCE), max=20, doc="Who is told where the audience is nobody."
    )
    status: Mapped[str] = choice("active", "disabled", default="active", doc="Disabled: nobody is told at all.")


async def _rule(unit: Unit, before: NotificationRule | None, values: dict[str, Any]) -> None:
    type = values.get("event_type")
    if type is not None and (type.startswith(("message.", "notice."))):
        raise fault("/event_type", "circular", "messages about messages never end")
    if type is not None and type not in unit.log.catalogue.events and not await registry.matches(unit, type.__eq__):
        raise fault("/event_type", "unknown", "there is no such event type")
    declared = unit.log.catalogue.events.get(type or "")
    if declared is not None and (told := unit.log.catalogue.guarded(declared.subject)) is not None:
        scope.require(unit.actor, f"{told.scope_name}:read")  # messages say what the event says
    if "template" in values:
        try:
            await templates.found(unit, values["template"])
        except TemplateUnknown as missing:
            raise fault("/template", "unknown", "there is no such template") from missing


WRITTEN = (
    NotificationRule.template,
    NotificationRule.channels,
    NotificationRule.audience,
    NotificationRule.otherwise,
)
RULES = Resource(
    row=NotificationRule,
    name="notification-rules",
    read=(NotificationRule.id, NotificationRule.event_type, *WRITTEN, NotificationRule.status,
          NotificationRule.created_at, NotificationRule.updated_at),
    write=WRITTEN,
    once=(NotificationRule.event_type,),
    filter=(NotificationRule.event_type, NotificationRule.status),
    unique=((NotificationRule.event_type,),),
    rule=_rule,
    routes=True,
    machine=Machine(
        NotificationRule.status,
        (
            Move("disable", ("active",), "disabled", "notification_rule.disabled", "Nobody is told any more."),
            Move("enable", ("disabled",), "active", "notification_rule.enabled", "People are told again."),
        ),
    ),
)  # fmt: skip


#: events that a notifications service of the tenant's own hears of by a broker, and acts on
TAKEN = frozenset(type for type in BUILT if type.startswith("erp."))


def following(rows: Sequence[Any], *, remote: bool) -> dict[str, Following]:
    """What follows from which event for one tenant, from its own rules. `remote`: another service tells its people."""
    found = {type: each for type, each in BUILT.items() if not (remote and type in TAKEN)}
    for row in rows:
        found.pop(row["event_type"], None)
        if row["status"] == "active":
            found[row["event_type"]] = Following(
                row["event_type"], row["template"], tuple(row["audience"]), tuple(row["otherwise"]),
                tuple(row["channels"]), row["id"],
            )  # fmt: skip
    return found
