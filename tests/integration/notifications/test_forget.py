"""Messages that are past their time are let go of; what waits, or waits for somebody, is not."""

from __future__ import annotations

from datetime import timedelta

import httpx2

from crosstie.app import opened
from crosstie.log.forget import Forgetting
from crosstie.modules.notifications.build import forgetting
from tests.integration.notifications.conftest import Desk, address
from tests.parts.post import Mailbox


async def test_old_messages_go(desk: Desk, box: Mailbox, client: httpx2.AsyncClient) -> None:
    gone, there, later, retried = (address() for _ in range(4))
    box.answers |= {gone: ["550 5.7.1 not from you"], retried: ["550 5.7.1 not from you"]}
    late = {"address": later, "quiet_from": "00:00", "quiet_until": "23:59", "time_zone": "Africa/Nairobi"}
    await desk.make("notification-preferences", **late)
    said = await desk.send("plain", gone, there, later, retried, data={"text": "x"})
    ids = {each["to"]: each["id"] for each in said["messages"]}
    for to, state in ((gone, "failed"), (there, "sent"), (later, "held"), (retried, "failed")):
        await desk.ended(ids[to], state)
    letters = {each["id"] for each in await desk.listed("dead-letters", 2)}
    row = await desk.ended(ids[gone], "failed")
    assert row["delivery_id"] in letters
    assert (await client.post(f"/api/v1/dead-letters/{row['delivery_id']}/discard", json={"reason": "spam"})).is_success
    boss = await desk.stage.superuser()
    move = "UPDATE messages SET created_at = now() - interval '40 days' WHERE tenant_id = $1"
    await boss.execute(move, desk.tenant.id)
    await boss.close()
    fresh = address()
    await desk.send("plain", fresh, data={"text": "y"})
    await box.wait(fresh)

    async def left() -> set[str]:
        return {each["to"] for each in await desk.messages()}

    async with opened(desk.stage.settings, desk.stage.dsns, work=False, name="test") as process:
        await forgetting(process.log.worker, desk.stage.settings).forget()  # a year
        assert await left() == {gone, there, later, retried, fresh}
        await Forgetting(process.log.worker, "messages_forget", timedelta(days=30)).forget()
        assert await left() == {later, retried, fresh}
