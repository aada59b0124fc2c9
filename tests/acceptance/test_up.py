"""The first command that anybody runs: `crosstie up --demo`, from an empty folder to a live feed and back."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import psutil
import pytest
from aiohttp import web

from crosstie.db.embedded import state
from crosstie.installation import held
from crosstie.settings import Settings
from tests.parts.command import Command
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.timeout(600)
SECONDS = 200


class Running:
    """A `crosstie up --demo` that may be ended and started again, with what it has printed since its start."""

    process: subprocess.Popen[str]
    reader: threading.Thread
    lines: list[str]

    def __init__(self, command: Command) -> None:
        self.command = command
        self.url = f"http://127.0.0.1:{command.environ['CROSSTIE_PORT']}"

    def start(self) -> None:
        """Start it; returns when it shows what happens."""
        self.lines = []
        self.process = self.command.start("up", "--demo")
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.says("What happens from now on")

    def stop(self) -> None:
        """Ctrl-C, unless it has ended."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(100)
        self.reader.join(60)
        if self.process.returncode != -signal.SIGKILL:
            assert self.process.returncode == 0, self.lines

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(iter(stream.readline, ""))

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """What `true` answers, once that is something."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                found = true()
            except httpx2.HTTPError:
                found = None
            if found:
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{what}: " + "".join(self.lines[-30:]))

    def says(self, words: str) -> str:
        """The line with these words, once it is printed."""
        return str(self.until(lambda: next((line for line in self.lines if words in line), None), words))

    @property
    def demo(self) -> dict[str, Any]:
        """What demo.json holds."""
        return dict(json.loads((self.command.home / "demo.json").read_text()))

    def client(self) -> httpx2.Client:
        """A client with the demo's key."""
        return httpx2.Client(base_url=self.url, headers={"authorization": f"Bearer {self.demo['api_key']}"}, timeout=30)

    def child(self, name: str) -> psutil.Process:
        """The child that runs a command, once it is there."""

        def found() -> psutil.Process | None:
            with suppress(psutil.Error):
                for each in psutil.Process(self.process.pid).children():
                    if {"crosstie.cli", name} <= set(each.cmdline()):
                        return each
            return None

        child: psutil.Process = self.until(found, name)
        return child


@contextmanager
def up(command: Command) -> Iterator[Running]:
    """`up --demo` until the end of the block."""
    running = Running(command)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that was begun from nothing; most tests need no more of their own."""
    with up(_command(tmp_path_factory.mktemp("up") / "home")) as running:
        yield running


@pytest.fixture
def running(house: Running) -> Running:
    """It runs, whatever the test before did with it."""
    if house.process.poll() is not None:
        house.start()
    return house


def _command(home: Path) -> Command:
    home.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return Command(home, {"CROSSTIE_PORT": str(probe.getsockname()[1])})


def _postgres(running: Running) -> psutil.Process:
    """The embedded server, which lives on its own."""
    sockets = psutil.net_connections("tcp")
    listening = {each.laddr.port: each.pid for each in sockets if each.laddr and each.status == psutil.CONN_LISTEN}
    dsn = running.command("config", "show", "-o", "json").one["database"]["superuser_dsn"]
    pid = listening[int(dsn.rpartition(":")[2].partition("/")[0])]
    assert pid is not None
    return psutil.Process(pid)


def test_from_nothing_to_a_live_feed_and_back(tmp_path: Path, running: Running) -> None:
    command = _command(tmp_path / "first")
    with up(command) as first:
        _demo_is_as_promised(first)
        _the_admin_signs_in(first)
        assert first.demo["api_key"] != running.demo["api_key"]
        _the_story_is_told(first)
        _what_happens_is_shown_and_delivered(first)
        second = command("up")
        assert (second.code, "already runs" in second.err) == (5, True)
        _a_dead_child_comes_again(first)
        postgres = _postgres(first)
    assert not postgres.is_running()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{first.url}/livez")


def test_after_a_crash_the_next_start_carries_on(running: Running) -> None:
    before, count = running.demo, _count(running)
    children = psutil.Process(running.process.pid).children(recursive=True)
    own = [each for each in children if "crosstie.cli" in each.cmdline()]
    postgres = _postgres(running)
    running.process.kill()
    psutil.wait_procs(own, timeout=60)
    assert [each for each in own if each.is_running()] == []
    assert postgres.is_running()
    running.stop()
    postgres.kill()
    running.start()
    assert running.demo == before
    assert _count(running) == count
    assert not any("Loaded" in line for line in running.lines)


def _count(running: Running) -> int:
    with running.client() as client:
        return sum(len(client.get(f"/api/v1/{noun}?limit=200").json()["data"]) for noun in ("clients", "sites", "jobs"))


def _demo_is_as_promised(running: Running) -> None:
    demo = running.demo
    assert demo.keys() == {"url", "admin", "tenant", "api_key"}
    assert (demo["admin"].keys(), demo["tenant"].keys()) == ({"email", "password"}, {"id", "slug"})
    assert demo["url"] == running.url
    assert (running.command.home / "demo.json").stat().st_mode & 0o777 == 0o600
    assert (running.command.home / "master.key").stat().st_mode & 0o777 == 0o600
    printed = "".join(running.lines)
    assert "is not whole" not in printed
    assert all(each in printed for each in (demo["url"], demo["admin"]["password"], demo["api_key"]))
    with running.client() as client:
        assert len(client.get("/api/v1/jobs?limit=200").json()["data"]) >= 10
        users = client.get("/api/v1/users").json()["data"]
        assert {user["email"] for user in users} >= {demo["admin"]["email"]}


def _the_admin_signs_in(running: Running) -> None:
    """With a plain form, nothing else: the demo asks a newcomer for no second factor."""
    with httpx2.Client(base_url=running.url) as browser:
        page = browser.get("/login", params={"next": "/account"})
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        inside = browser.post("/login", data=hidden | running.demo["admin"], follow_redirects=True)
        assert (inside.status_code, inside.url.path) == (200, "/account")
        assert running.demo["admin"]["email"] in inside.text


def _what_happens_is_shown_and_delivered(running: Running) -> None:
    with running.client() as client:
        made = client.post("/api/v1/clients", json={"name": "Seen in the feed"})
        running.says(made.json()["id"])
        (endpoint,) = client.get("/api/v1/webhook-endpoints").json()["data"]
    running.until(
        lambda: any("client.created" in line and "delivered 204" in line for line in running.lines), "delivery"
    )
    sandbox = endpoint["url"].removesuffix("/hooks/demo")
    got = httpx2.get(f"{sandbox}/deliveries").json()["data"]
    newest = next(each for each in got if each["event_type"] == "client.created")
    assert newest["signature"] == "good"
    assert newest["body"]["data"]["client_id"] == made.json()["id"]


def _a_dead_child_comes_again(running: Running) -> None:
    running.child("serve").kill()
    running.says("ended with SIGKILL")
    with running.client() as client:
        running.until(lambda: client.get("/readyz").status_code == 200, "ready again")
        assert client.post("/api/v1/clients", json={"name": "After the crash"}).status_code == 201


def test_the_sandbox_fails_on_demand_and_what_failed_is_tried_again(running: Running) -> None:
    with running.client() as client:
        endpoints = client.get("/api/v1/webhook-endpoints").json()["data"]
        (endpoint,) = (each for each in endpoints if each["url"].endswith("/hooks/demo"))
        sandbox = endpoint["url"].removesuffix("/hooks/demo")
        assert httpx2.post(f"{sandbox}/faults", json={"status": 503}).json()["status"] == 503
        assert httpx2.post(f"{sandbox}/faults", json={"status": 99}).status_code == 422
        assert httpx2.post(f"{sandbox}/faults", json={}, headers={"origin": "http://evil.example"}).status_code == 403
        made = client.post("/api/v1/clients", json={"name": "<b>Once more</b>"}).json()

        def tried() -> list[int]:
            found = httpx2.get(f"{sandbox}/deliveries").json()["data"]
            return [each["answered"] for each in found if each["body"]["data"].get("client_id") == made["id"]]

        running.until(tried, "a first attempt")
        httpx2.post(f"{sandbox}/faults", json={"times": 1})
        answers = running.until(lambda: tried()[0] == 204 and tried(), "another attempt")
        assert set(answers[1:]) == {503}
        page = httpx2.get(sandbox).text
        assert "&lt;b&gt;Once more" in page
        assert "<b>Once more" not in page
        forged = httpx2.post(endpoint["url"], json={"event_type": "client.created"})
        assert forged.status_code == 401
        mail = {"channel": "email", "template": "plain", "to": ["seen@example.com"], "data": {"text": "To the sandbox"}}
        assert client.post("/api/v1/notifications/messages", json=mail).status_code == 202
        mails = running.until(lambda: httpx2.get(f"{sandbox}/mails").json()["data"], "a mail")
        assert ["To the sandbox" in each["text"] for each in mails if each["to"] == "seen@example.com"] == [True]


def _the_story_is_told(running: Running) -> None:
    """A won opportunity becomes one invoice at a treasury that fails twice."""
    running.says("event    treasury.invoice.created")
    running.says("answered 201")
    asked = [line for line in running.lines if "treasury.create_invoice" in line]
    assert [line.split("answered ")[1].split()[0] for line in asked] == ["503", "503", "201"]
    assert len({line.split("(key ")[1] for line in asked}) == 1
    assert any("event    erp.opportunity.won" in line for line in running.lines)
    with running.client() as client:
        assert _story(client) == (1, ["done"], 1)
        page = httpx2.get(f"{_treasury(client)}/story").text
    assert (page.count("503"), "<strong>1</strong>" in page) == (2, True)


def test_every_story_is_told_once_and_none_again_after_a_stop(running: Running) -> None:
    with running.client() as client:
        before = _settled(running, client)
        httpx2.post(f"{_treasury(client)}/story")
        running.until(lambda: _settled(running, client) == before + 1, "another one")
    running.stop()
    running.start()
    with running.client() as client:
        assert _story(client) == (before + 1, ["done"] * (before + 1), before + 1)


def test_kills_on_both_sides_leave_one_invoice_per_opportunity(running: Running) -> None:
    with running.client() as client:
        before = _settled(running, client)
        for number in range(20):
            running.until(partial(_won, client, number), "the event is taken")
            if number in (5, 9, 15):
                running.child("sandbox").kill()
            if number == 9:
                running.child("serve").kill()
        running.until(lambda: _settled(running, client) == before + 20, "an invoice for each, told of once")


def _won(client: httpx2.Client, number: int) -> bool:
    data = {"opportunity_id": f"o-{number}", "customer_id": "c", "amount": 10000.00, "currency": "KES"}
    event = {"event_id": f"won-{number}", "event_type": "erp.opportunity.won", "data": data}
    return client.post("/api/v1/events", json=event).status_code == 202


def _treasury(client: httpx2.Client) -> str:
    """Where the sandbox is, which plays it."""
    return str(client.get("/api/v1/service-providers/treasury").json()["base_url"])


def _story(client: httpx2.Client) -> tuple[int, list[str], int]:
    """Invoices at the treasury, calls of it, and events that tell of invoices."""
    done = httpx2.get(f"{_treasury(client)}/services/effects").json()["data"]
    assert all(each["count"] == 1 for each in done)
    calls = client.get("/api/v1/service-calls").json()["data"]
    told = client.get("/api/v1/events", params={"event_type": "treasury.invoice.created"}).json()["data"]
    return len(done), [each["status"] for each in calls], len(told)


def _settled(running: Running, client: httpx2.Client) -> int:
    """How many invoices there are, once there are some and each was called for and is told of."""

    def count() -> int:
        made, calls, told = _story(client)
        return made if (calls, told) == (["done"] * made, made) else 0

    return int(running.until(count, "each is told of"))


def test_what_is_under_way_is_finished_before_it_stops(running: Running, receiver: Receiver) -> None:
    async def slowly(received: Received) -> web.Response:
        await asyncio.sleep(3)
        return web.Response(status=204)

    receiver.answer = slowly
    with running.client() as client:
        hook = {"url": f"{receiver.url}/hook", "event_types": ["client.created"]}
        endpoint = client.post("/api/v1/webhook-endpoints", json=hook).json()["id"]
        client.post("/api/v1/clients", json={"name": "Under way"})
        running.until(lambda: receiver.got, "the webhook")
    running.stop()
    home = running.command.home
    with held(Settings(home=home), print):
        assert asyncio.run(_deliveries(home, endpoint)) == [("delivered", 1)]
    assert len(receiver.got) == 1


async def _deliveries(home: Path, endpoint: str) -> list[tuple[str, int]]:
    kept = state.read(home)
    assert kept is not None
    connection = await asyncpg.connect(kept.dsns().superuser)
    try:
        query = "SELECT status, attempts FROM deliveries WHERE endpoint_id = $1"
        return [tuple(row) for row in await connection.fetch(query, UUID(endpoint))]
    finally:
        await connection.close()


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    command = _command(tmp_path / "home")
    with socket.create_server(("127.0.0.1", int(command.environ["CROSSTIE_PORT"]))):
        done = command("up", seconds=200)
    assert done.code == 5
    assert "set CROSSTIE_PORT" in done.err
    assert subprocess.run(["pgrep", "-f", str(command.home)], check=False, capture_output=True).stdout == b""
