"""The event log on the command line: list, tail, trigger, listen."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from standardwebhooks import Webhook

from tests.fence import fence
from tests.parts.command import Command
from tests.receiver import Receiver


@contextmanager
def running(command: Command, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = command.start(*words)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=110)
    assert process.returncode == 130


async def _heard(client: httpx2.AsyncClient, receiver: Receiver, number: int) -> None:
    """Make clients until one is heard of: the listener starts behind what there was."""
    for attempt in range(40):
        await client.post("/api/v1/clients", json={"name": f"Attempt {number}.{attempt}"})
        try:
            await receiver.wait(number, "client.created", 0.5)
        except TimeoutError:
            continue
        return
    raise TimeoutError("nothing was forwarded")


async def test_listen_forwards_signed_webhooks_with_one_secret_and_no_endpoint(
    caller: Command, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    secret = caller("listen", "--print-secret").one["secret"]
    for run in range(2):
        before = len(receiver.got)
        with running(caller, "listen", "--forward-to", f"{receiver.url}/hook", "--events", "client.*"):
            await _heard(client, receiver, before + 1)
        received = receiver.got[-1]
        Webhook(secret).verify(received.body.decode(), received.headers)
        assert received.headers["webhook-id"] == received.envelope["event_id"]
        assert run == 1 or caller("listen", "--print-secret").one["secret"] == secret
    assert caller("endpoints", "list").many == []


async def test_tail_prints_what_happens(caller: Command, client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/clients", json={"name": "Before"})
    await fence(client)
    cursor = (await client.get("/api/v1/events?sort=created_at")).json()["next_cursor"]
    with running(caller, "events", "tail", "--after", cursor, "-o", "jsonl") as process:
        made = await client.post("/api/v1/clients", json={"name": "After"})
        assert process.stdout is not None
        event = json.loads(process.stdout.readline())
    assert event["data"]["client_id"] == made.json()["id"]


async def test_list_and_trigger(caller: Command, client: httpx2.AsyncClient) -> None:
    types = (await client.get("/api/v1/event-types")).json()["data"]
    sent = next(each["name"] for each in types if each["name"].startswith("projects."))
    id = caller("events", "trigger", sent).one["event_id"]
    (event,) = caller("events", "list", "--type", sent).many
    assert event["event_id"] == id
    assert caller("events", "list", "--oldest", "--limit", "0").many[-1] == event
    assert caller("events", "trigger", "no.such_type").code == 4
    assert caller("events", "trigger", "client.created").code == 3
