"""What can be done with a webhook endpoint beyond declaring it: secrets, test, replay, recovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.resource import Action
from crosstie.deliver.row import TABLE, WebhookEndpoint
from crosstie.errors import Fault, Invalid
from crosstie.kit import webhook
from crosstie.log import change, registry, replay
from crosstie.log.operation import OPERATIONS, begin
from crosstie.log.unit import Unit

TEST = "webhook_endpoint.test"


def signing(own: str | None, signature: str) -> str:
    """The caller's own secret, or a new one for a way of signing. Raises Invalid where it cannot sign."""
    if own is None:
        return webhook.generate() if signature == "v1" else webhook.generate_pair()[0]
    try:
        webhook.signer(own)
    except webhook.SecretError as error:
        raise Invalid("The secret cannot be used.", errors=[Fault("/secret", "secret", str(error))]) from None
    return own


def seal(unit: Unit, id: UUID, column: str, secret: str) -> bytes:
    """A secret sealed to its endpoint."""
    return unit.log.cipher.seal(unit.tenant_id, secret.encode(), TABLE, column, id)


async def unseal(unit: Unit, row: WebhookEndpoint, column: str, sealed: bytes) -> str:
    """What was sealed to a column of an endpoint."""
    plain = await unit.log.cipher.unseal(unit.connection, unit.tenant_id, sealed, TABLE, column, row.id)
    return plain.decode()


async def _rotate(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> WebhookEndpoint:
    """Give it a new secret; both sign until the overlap is over."""
    await unit.log.cipher.ready(unit.connection, unit.tenant_id)
    kept = await unseal(unit, row, "secret", row.secret)
    secret = signing(given.get("secret"), row.signature)
    after = unit.update(
        row,
        {
            "secret": seal(unit, row.id, "secret", secret),
            "old_secret": seal(unit, row.id, "old_secret", kept),
            "old_until": unit.now + timedelta(seconds=given["overlap_seconds"]),
        },
    )
    unit.shown["secret"] = secret
    resource = unit.log.catalogue.resources["webhook-endpoints"]
    change.tell(unit, resource, "webhook_endpoint.secret_rotated", after)
    change.reroute(unit)
    return after


async def _test(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """An event that goes to this endpoint alone, whatever it subscribed to."""
    data = {"webhook_endpoint_id": row.id, "message": given["message"]}
    event = unit.append(TEST, data, ("webhook_endpoint", str(row.id)))
    return {"event_id": event.event_id}


async def _replay(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """Send events of the log again, or for the first time."""
    await registry.check(unit, given.get("event_types") or ())
    kept = replay.given(row.id, given, unit.now)
    count = await replay.count_events(unit, kept, row.event_types)
    return await _begun(unit, "replay", kept, count, given["dry_run"])


async def _recover(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """Try again what was given up."""
    await registry.check(unit, given.get("event_types") or ())
    kept = replay.given(row.id, given, unit.now)
    return await _begun(unit, "recover", kept, await replay.count_failed(unit, kept), given["dry_run"])


async def _begun(unit: Unit, kind: str, kept: Mapping[str, Any], count: int, dry_run: bool) -> dict[str, Any]:
    operation = await begin(unit, kind, kept, count=count, finished=dry_run)
    return operation.__dict__


_SPAN = (
    Field(kinds.Moment(), name="since", doc="From when on."),
    Field(kinds.Moment(), name="until", doc="Until when; now where it is left out.", nullable=True),
    Field(kinds.Many(kinds.Text(200), max=50), name="event_types", doc="Only these types or patterns.", nullable=True),
)
_DRY = Field(kinds.Flag(), name="dry_run", doc="Count only.", default=False)
_OVERLAP = Field(kinds.Integer(0, 604_800), name="overlap_seconds", doc="How long both secrets sign.", default=86_400)
_OPERATION = tuple(OPERATIONS.output.fields.values())

ACTIONS = (
    Action(
        "rotate-secret",
        _rotate,
        "The endpoint got a new secret; the old one signs along until the overlap is over.",
        given=(Field(kinds.Text(200), name="secret", doc="A secret of your own.", nullable=True), _OVERLAP),
        events=("webhook_endpoint.secret_rotated",),
    ),
    Action(
        "test",
        _test,
        "Send it a test event.",
        given=(Field(kinds.Text(200), name="message", doc="What the test says.", default="This is a test."),),
        answer=(Field(kinds.Text(128), name="event_id", doc="The event: look for its delivery."),),
        status=202,
    ),
    Action(
        "replay",
        _replay,
        "Send events of the log again: each is a new delivery with the event's own id.",
        given=(
            *_SPAN,
            Field(kinds.Many(kinds.Text(128), max=100), name="event_ids", doc="Only these events.", nullable=True),
            _DRY,
        ),
        answer=_OPERATION,
        status=202,
    ),
    Action(
        "recover",
        _recover,
        "Try again every delivery that was given up.",
        given=(*_SPAN, _DRY),
        answer=_OPERATION,
        status=202,
    ),
)
