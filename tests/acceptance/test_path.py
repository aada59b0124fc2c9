"""The main job, from outside: work recorded over the API, heard of through signed webhooks."""

from __future__ import annotations

import httpx2
from standardwebhooks import Webhook

from tests.receiver import Receiver


async def test_a_job_is_heard_of_through_a_signed_webhook(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    endpoint = await client.post(
        "/api/v1/webhook-endpoints", json={"url": f"{receiver.url}/hook", "event_types": ["job.*"]}
    )
    assert endpoint.status_code == 201, endpoint.text
    made = await client.post("/api/v1/clients", json={"name": "Thandi Nkosi"})
    job = await client.post("/api/v1/jobs", json={"client_id": made.json()["id"], "title": "Replace the geyser"})
    assert job.status_code == 201, job.text

    (received,) = await receiver.wait(1, "job.created")

    Webhook(endpoint.json()["secret"]).verify(received.body.decode(), received.headers)
    envelope = received.envelope
    assert received.headers["webhook-id"] == envelope["event_id"]
    assert envelope["data"]["job_id"] == job.json()["id"]
    assert envelope["subject"] == {"type": "job", "id": job.json()["id"]}
    assert envelope["sequence"] == 1
