"""The sender of a crash run, a process of its own: notes what it is about to send, sends it until it has an answer.

python -m tests.faults.speaker SCRIPT
SCRIPT is JSON: {"ledger", "urls", "type", "example", "tenants": [{"name", "key", "client"}], "pause", "seed"}.
SIGTERM: begin nothing new, get an answer for everything that was begun, end.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import sys
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.catcher import meaning
from tests.faults.ledger import Ledger

SINGLES, BATCH, BATCHED = 3, 12, 4
#: seconds until an answer must have come, however often one has to ask
PATIENCE = 200.0
#: of so many events one is broken on purpose: it must be refused, and never heard of
BROKEN = 40


class Speaker:
    """Speaks for one tenant."""

    def __init__(self, script: dict[str, Any], tenant: dict[str, str], http: aiohttp.ClientSession) -> None:
        self._script = script
        self._tenant = tenant
        self._http = http
        self._ledger = Ledger(Path(script["ledger"]))
        self._urls = cycle(script["urls"])
        self.stopping = False

    async def run(self) -> None:
        """All kinds of sending at once."""
        async with asyncio.TaskGroup() as group:
            for number in range(SINGLES):
                group.create_task(self._singles(f"{self._tenant['name']}-s{number}"))
            group.create_task(self._batches())
            group.create_task(self._jobs())

    def _event(self, key: str, seq: int) -> tuple[dict[str, Any], dict[str, Any]]:
        pad = "".join(random.choices('abc äöü 漢字 \\ " 0', k=random.randint(0, 300)))
        data = {**self._script["example"], "ledger": {"key": key, "seq": seq}, "pad": pad, "number": random.random()}
        id = secrets.token_hex(12)
        event = {"event_id": id, "event_type": self._script["type"], "data": data}
        event["subject"] = {"type": "lane", "id": key}
        return event, {"id": id, "key": key, "seq": seq, "hash": meaning(data), "tenant": self._tenant["name"]}

    async def _singles(self, key: str) -> None:
        for seq in count():
            if self.stopping:
                return
            if random.randrange(BROKEN) == 0:
                event, entry = self._event(key, -1)
                await self._say("events", event | {"nonsense": True}, [{**entry, "key": None}], {})
            event, entry = self._event(key, seq)
            await self._say("events", event, [entry], {})
            await asyncio.sleep(self._script["pause"] * random.random())

    async def _batches(self) -> None:
        keys = [f"{self._tenant['name']}-b{number}" for number in range(BATCHED)]
        seqs: dict[str, Iterator[int]] = {key: count() for key in keys}
        while not self.stopping:
            made = [self._event(key, next(seqs[key])) for key in keys * (BATCH // BATCHED)]
            await self._say("events/batch", {"events": [event for event, _ in made]}, [entry for _, entry in made], {})
            await asyncio.sleep(self._script["pause"] * random.random() * 2)

    async def _jobs(self) -> None:
        while not self.stopping:
            token = secrets.token_hex(12)
            job = {"client_id": self._tenant["client"], "title": token, "description": secrets.token_hex(40)}
            entry = {"id": token, "key": None, "seq": 0, "hash": meaning(job["description"])}
            await self._say("jobs", job, [{**entry, "tenant": self._tenant["name"]}], {"idempotency-key": token})
            await asyncio.sleep(self._script["pause"] * random.random())

    async def _say(self, path: str, body: Any, entries: list[dict[str, Any]], headers: dict[str, str]) -> None:
        """Note the attempt, ask until there is an answer, note the answer."""
        await self._ledger.note(*(entry | {"state": "attempt"} for entry in entries))
        raw = json.dumps(body).encode()
        headers = {**headers, "authorization": f"Bearer {self._tenant['key']}", "content-type": "application/json"}
        end = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < end:
            try:
                timeout = aiohttp.ClientTimeout(total=15)
                url = f"{next(self._urls)}/api/v1/{path}"
                async with self._http.post(url, data=raw, headers=headers, timeout=timeout) as answer:
                    said = await answer.json(content_type=None)
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                await asyncio.sleep(0.1)
                continue
            if status >= 500 or status in (408, 409, 429):
                await self._ledger.note({"state": "turned_away", "status": status, "said": str(said)[:300]})
                await asyncio.sleep(0.1)
                continue
            bad = {each["index"] for each in said["rejected"]} if path == "events/batch" else set()
            state = "ack" if status < 300 else "refused"
            await self._ledger.note(*(e | {"state": "refused" if n in bad else state} for n, e in enumerate(entries)))
            return


async def main(script: dict[str, Any]) -> None:
    """Speak for every tenant until SIGTERM."""
    random.seed(script.get("seed"))
    connector = aiohttp.TCPConnector(limit=100, force_close=False)
    async with aiohttp.ClientSession(connector=connector) as http:
        speakers = [Speaker(script, tenant, http) for tenant in script["tenants"]]

        def stop() -> None:
            for speaker in speakers:
                speaker.stopping = True

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        await asyncio.gather(*(speaker.run() for speaker in speakers))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
