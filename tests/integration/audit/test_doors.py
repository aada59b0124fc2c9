"""What happens at the doors is in the audit log: sign-ins that went well and those that did not, and from where."""

from __future__ import annotations

from crosstie.access import audit
from crosstie.app import opened
from crosstie.db import session
from tests.integration.access.people import Browser, firm, join
from tests.integration.access.test_factor import enrolled
from tests.integration.audit.reading import entries
from tests.stage import Stage


async def test_signing_in_and_failing_to(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "owner")
    async with Browser(stage) as browser:
        refused = await browser.log_in(email, password="not this one at all")  # a wrong one
        await browser.log_in(email)
    async with tenant.client() as client:
        failed, started = await entries(client, action="sessions.create")
    assert (failed["outcome"], failed["actor"]["type"], failed["target"]["type"]) == ("failed", "anonymous", "user")
    assert (failed["ip"], failed["request_id"]) == ("127.0.0.1", refused.headers["x-request-id"])
    assert (started["outcome"], started["actor"]) == ("done", {"type": "user", "id": failed["target"]["id"]})
    assert "not this one" not in str((failed, started))


async def test_an_address_that_nobody_has_is_in_the_installations_own_chain(stage: Stage) -> None:
    async with Browser(stage) as browser:
        refused = await browser.log_in("nobody-at-all@example.com")
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await audit.AUDIT_ENTRIES.before_read(process.log, audit.INSTALLATION)  # type: ignore[misc]  # it has one
        async with session.of_tenant(process.log.app, audit.INSTALLATION) as connection:
            found = await connection.fetch(
                "SELECT action, outcome FROM audit_entries WHERE request_id = $1", refused.headers["x-request-id"]
            )
    assert [(row["action"], row["outcome"]) for row in found] == [("sessions.create", "failed")]


async def test_a_second_factor_that_is_wrong_and_what_people_do_with_theirs(stage: Stage) -> None:
    tenant = await firm(stage, "required")
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser:
        app, _ = await enrolled(browser, email)
        browser.client.cookies.clear()
        await browser.log_in(email)
        wrong = await browser.send("/login/code", {"code": "000000"})
        assert wrong.status_code == 403
        await browser.send("/login/code", {"code": app.code(1)})
    async with tenant.client() as client:
        (failed,) = await entries(client, action="sessions.prove")
        added = await entries(client, action="users.factor_added")
    assert (failed["outcome"], failed["actor"]["type"]) == ("failed", "user")
    assert failed["request_id"] == wrong.headers["x-request-id"]
    assert [entry["outcome"] for entry in added] == ["done"]
