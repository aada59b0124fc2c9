"""Settings of business users: typed, merged, kept in every version; and nothing in them that is a secret."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.access import setting
from crosstie.app import opened
from tests.stage import Stage, Tenant


@pytest.fixture
def path(tenant: Tenant) -> str:
    return f"/api/v1/settings/{tenant.id}"


async def change(client: httpx2.AsyncClient, path: str, **sections: Any) -> dict[str, Any]:
    answer = await client.patch(path, json=sections)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_new_tenant_has_all_defaults(
    client: httpx2.AsyncClient, path: str, stage: Stage, tenant: Tenant
) -> None:
    (listed,) = (await client.get("/api/v1/settings")).json()["data"]
    shown = (await client.get(path)).json()
    assert listed == shown
    assert (shown["version"], shown["payments"]["terms_days"], shown["business"]["legal_name"]) == (1, 30, None)
    async with (
        opened(stage.settings, stage.dsns, work=False, name="test") as process,
        process.log.unit(tenant.id) as unit,
    ):
        assert (await setting.read(unit))["payments"] == shown["payments"]


async def test_what_is_sent_changes_what_is_not_stays_and_null_is_the_default(
    client: httpx2.AsyncClient, path: str
) -> None:
    await change(client, path, payments={"terms_days": 14}, business={"legal_name": "Acme (Pty) Ltd"})
    after = await change(client, path, payments={"deposit_percent": 25})
    assert after["payments"] == {"terms_days": 14, "deposit_percent": 25, "reminder_days": [7, 14, 30]}
    assert after["business"]["legal_name"] == "Acme (Pty) Ltd"
    assert after["version"] == 3
    back = await change(client, path, payments={"terms_days": None})
    assert (back["payments"]["terms_days"], back["payments"]["deposit_percent"]) == (30, 25)
    same = await change(client, path, payments={"deposit_percent": 25})
    assert same["version"] == back["version"] == 4


@pytest.mark.parametrize(
    ("sections", "pointer", "code"),
    [
        ({"payments": {"term_days": 14}}, "/payments/term_days", "unknown_field"),
        ({"payments": {"term_days": None}}, "/payments/term_days", "unknown_field"),
        ({"payment": {}}, "/payment", "unknown_field"),
        ({"payments": {"terms_days": "14"}}, "/payments/terms_days", "type"),
        ({"payments": {"terms_days": 366}}, "/payments/terms_days", "range"),
        ({"payments": 14}, "/payments", "type"),
        ({"notifications": {"channels": ["pigeon"]}}, "/notifications/channels/0", "choice"),
        ({"notifications": {"quiet_from": "25:00"}}, "/notifications/quiet_from", "pattern"),
        ({"reports": {"footer": "{{ config.items() }}"}}, "/reports/footer", "placeholder"),
        ({"reports": {"footer": "{% for x in y %}"}}, "/reports/footer", "placeholder"),
        ({"business": {"city": "sk_live_abcdefgh12345678"}}, "/business/city", "secret"),
        ({"tax": {"codes": ["VAT", "ghp_abcdefgh12345678"]}}, "/tax/codes", "secret"),
        ({"reports": {"header": "-----BEGIN PRIVATE KEY-----"}}, "/reports/header", "secret"),
        ({"business": {"website": "https://u:hunter2@example.com"}}, "/business/website", "secret"),
    ],
)
async def test_what_is_refused_is_pointed_at(
    client: httpx2.AsyncClient, path: str, sections: dict[str, Any], pointer: str, code: str
) -> None:
    refused = await client.patch(path, json=sections)
    assert refused.status_code == 422
    assert {(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]} == {(pointer, code)}
    assert (await client.get(path)).json()["version"] == 1


async def test_every_version_is_kept_and_can_be_taken_up_again(client: httpx2.AsyncClient, path: str) -> None:
    for days in (7, 14):
        await change(client, path, payments={"terms_days": days})
    await change(client, path, reports={"footer": "Thank you, {{ client }}. {{firm}}"})

    reverted = await client.post(f"{path}/revert", json={"version": 2})

    assert reverted.status_code == 200, reverted.text
    assert (reverted.json()["version"], reverted.json()["payments"]["terms_days"]) == (5, 7)
    assert reverted.json()["reports"]["footer"] == ""
    versions = (await client.get(f"{path}/versions")).json()["data"]
    assert [each["version"] for each in versions] == [1, 2, 3, 4, 5]
    assert [each["payments"]["terms_days"] for each in versions] == [30, 7, 14, 14, 7]
    assert versions[0]["actor_type"] == "system"
    assert {each["actor_type"] for each in versions[1:]} == {"api_key"}
    first = await client.post(f"{path}/revert", json={"version": 1})
    assert first.json()["payments"]["terms_days"] == 30
    missing = await client.post(f"{path}/revert", json={"version": 99})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/version")


async def test_two_who_change_at_once_do_not_overwrite_each_other(client: httpx2.AsyncClient, path: str) -> None:
    tag = (await client.get(path)).headers["etag"]
    first = await client.patch(path, json={"payments": {"terms_days": 1}}, headers={"if-match": tag})
    second = await client.patch(path, json={"payments": {"terms_days": 2}}, headers={"if-match": tag})
    assert (first.status_code, second.status_code) == (200, 412)


async def test_the_schema_of_every_setting_is_published(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    named = document["components"]["schemas"]["Setting"]["properties"]["payments"]
    assert "terms_days" in str(named)


async def test_another_tenants_settings_are_as_if_they_were_not_there(client: httpx2.AsyncClient, stage: Stage) -> None:
    other = await stage.tenant()
    for found in (other.id, uuid4()):
        assert (await client.get(f"/api/v1/settings/{found}")).status_code == 404
        assert (await client.patch(f"/api/v1/settings/{found}", json={"payments": {}})).status_code == 404
