"""The sandbox in a thread: the services that Crosstie meets outside, for tests to call and to make fail."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from crosstie.sandbox import server
from crosstie.sandbox.back import Target
from crosstie.sandbox.receiver import Receiver

KEY = "sandbox-test-key"
SECRET = "whsec_" + "c2FuZGJveC1zYW5kYm94LXNhbmRib3gh"


@dataclass
class Outside:
    """Where it is; `target` may be set at any time."""

    url: str
    target: Target | None = None

    def client(self, **headers: str) -> httpx2.Client:
        """A caller that may."""
        return httpx2.Client(base_url=self.url, headers={"x-api-key": KEY, **headers}, timeout=60, verify=False)

    def fault(self, operation: str, kind: str, **more: Any) -> None:
        """Have an operation fail."""
        service, _, name = operation.partition(".")
        with self.client() as client:
            given = {"service": service, "operation": name or None, "kind": kind, **more}
            answer = client.post("/services/faults", json=given)
            assert answer.status_code == 200, answer.text

    def listed(self, what: str) -> list[dict[str, Any]]:
        """Requests, effects or events, the newest first."""
        with self.client() as client:
            return list(client.get(f"/services/{what}").json()["data"])

    def effects(self, operation: str, about: str | None = None) -> int:
        """How many things an operation made, in all or for something."""
        found = [each for each in self.listed("effects") if f"{each['service']}.{each['operation']}" == operation]
        return sum(each["count"] for each in found if about in (None, each["about"]))

    def until(self, true: Callable[[], Any], seconds: float = 60) -> Any:
        """What `true` answers, once that is something."""
        end = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < end, "nothing came"
            time.sleep(0.05)
        return found


@contextmanager
def standing(books: Path | str = ":memory:") -> Iterator[Outside]:
    """A sandbox on a free port of loopback."""
    sock = socket.create_server(("127.0.0.1", 0))
    outside = Outside(f"http://127.0.0.1:{sock.getsockname()[1]}")
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    receiver = Receiver(SECRET, lambda got: None)
    work = server.serve(sock, receiver, KEY, books, lambda: outside.target, stop)
    thread = threading.Thread(target=loop.run_until_complete, args=(work,), daemon=True)
    thread.start()
    try:
        yield outside
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
