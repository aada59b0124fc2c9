"""Schedules and users over the API: nobody is in two places at once; no password leaves."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import httpx2
from argon2 import PasswordHasher

from crosstie.access import user as users
from crosstie.app import opened
from tests.fence import fence
from tests.integration.nouns.conftest import Make, events
from tests.stage import Stage, Tenant


def window(start: int, end: int, **values: Any) -> dict[str, Any]:
    return {"starts_at": f"2030-05-01T{start:02}:00:00Z", "ends_at": f"2030-05-01T{end:02}:00:00Z", **values}


async def test_of_fifty_bookings_of_a_slot_exactly_one_wins(
    client: httpx2.AsyncClient, job: dict[str, Any], technician: dict[str, Any]
) -> None:
    both = {"job_id": job["id"], "technician_id": technician["id"]}
    # ten slots, five callers for each, all at once; neighbours touch and do not overlap
    bodies = [window(hour, hour + 1, **both) for hour in range(8, 18) for _ in range(5)]

    answers = await asyncio.gather(*(client.post("/api/v1/schedules", json=body) for body in bodies))

    won = [answer.json()["starts_at"] for answer in answers if answer.status_code == 201]
    assert sorted(won) == [f"2030-05-01T{hour:02}:00:00Z" for hour in range(8, 18)]
    lost = [answer.json() for answer in answers if answer.status_code != 201]
    assert len(lost) == 40
    assert {(p["status"], p["code"], p["errors"][0]["pointer"]) for p in lost} == {(409, "double_booked", "/starts_at")}
    assert len(await events(client, "schedule.created")) == 10


async def test_fifty_overlapping_windows_leave_no_overlap(
    client: httpx2.AsyncClient, job: dict[str, Any], technician: dict[str, Any]
) -> None:
    both = {"job_id": job["id"], "technician_id": technician["id"]}
    bodies = [window(n % 20, n % 20 + 1 + n % 3, **both) for n in range(50)]

    await asyncio.gather(*(client.post("/api/v1/schedules", json=body) for body in bodies))

    page = (await client.get("/api/v1/schedules", params={"sort": "starts_at", "limit": 200})).json()["data"]
    assert page
    for before, after in pairwise(page):
        assert before["ends_at"] <= after["starts_at"]


async def test_a_visit_moves_into_free_time_only(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any], technician: dict[str, Any]
) -> None:
    both = {"job_id": job["id"], "technician_id": technician["id"]}
    first = await make("schedules", **window(8, 10, **both), time_zone="Africa/Nairobi")
    second = await make("schedules", **window(10, 12, **both))
    path = f"/api/v1/schedules/{second['id']}"

    assert (await client.patch(path, json={"starts_at": "2030-05-01T09:00:00Z"})).status_code == 409
    assert (await client.patch(path, json={"ends_at": "2030-05-01T13:00:00Z"})).status_code == 200
    assert (await client.patch(path, json={"ends_at": "2030-05-01T10:00:00Z"})).status_code == 422
    assert first["time_zone"] == "Africa/Nairobi"
    assert (await client.post(f"/api/v1/schedules/{first['id']}/cancel")).status_code == 200
    assert (await client.patch(path, json={"starts_at": "2030-05-01T09:00:00Z"})).status_code == 200


async def test_who_may_not_act_is_not_booked(
    client: httpx2.AsyncClient, job: dict[str, Any], technician: dict[str, Any]
) -> None:
    await client.post(f"/api/v1/users/{technician['id']}/suspend")
    for id in (technician["id"], job["id"]):
        refused = await client.post("/api/v1/schedules", json=window(8, 9, job_id=job["id"], technician_id=id))
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/technician_id"


async def test_a_visit_goes_its_way(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any], technician: dict[str, Any]
) -> None:
    visit = await make("schedules", **window(8, 9, job_id=job["id"], technician_id=technician["id"]))
    path = f"/api/v1/schedules/{visit['id']}"
    assert (await client.post(f"{path}/finish")).status_code == 409
    left = await client.post(f"{path}/depart", json={"eta": "2030-05-01T08:10:00+02:00"})
    assert left.json()["eta"] == "2030-05-01T06:10:00Z"
    assert (await client.post(f"{path}/arrive")).json()["arrived_at"]
    assert (await client.post(f"{path}/finish")).json()["status"] == "done"
    found = await events(client, "schedule.en_route", "schedule.arrived", "schedule.done")
    assert [e["data"]["previous_status"] for e in found] == ["planned", "en_route", "arrived"]
    assert {e["data"]["job_id"] for e in found} == {job["id"]}
    (told,) = await events(client, "job.en_route")
    assert told["subject"] == {"type": "job", "id": job["id"]}
    assert (told["data"]["schedule_id"], told["data"]["eta"]) == (visit["id"], "2030-05-01T06:10:00Z")


async def test_no_password_leaves(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        async with process.log.unit(tenant.id) as unit:
            made = await users.make(unit, email="Owner@Example.com", role="owner", secret="correct horse")
        async with process.log.unit(tenant.id) as unit:
            kept = await unit.get(users.User, made.id)
    assert kept.password_hash is not None
    assert PasswordHasher().verify(kept.password_hash, "correct horse")

    one = await client.get(f"/api/v1/users/{made.id}")
    listed = await client.get("/api/v1/users", params={"email": "owner@example.com"})
    await fence(client)
    log = await client.get("/api/v1/events")

    assert one.json()["email"] == "owner@example.com"
    assert len(listed.json()["data"]) == 1
    for answer in (one, listed, log):
        assert "password" not in answer.text
        assert "argon2" not in answer.text
    for wrong in ({"password_hash": "x"}, {"status": "active"}):
        assert (await client.patch(f"/api/v1/users/{made.id}", json=wrong)).status_code == 422


async def test_an_address_names_one_user_of_a_tenant(stage: Stage, client: httpx2.AsyncClient, make: Make) -> None:
    await make("users", email="a@example.com", role="admin")
    again = await client.post("/api/v1/users", json={"email": "A@example.com", "role": "owner"})
    assert again.status_code == 409
    async with (await stage.tenant()).client() as other:
        elsewhere = await other.post("/api/v1/users", json={"email": "a@example.com", "role": "owner"})
        assert elsewhere.status_code == 201
