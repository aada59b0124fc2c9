"""Loads the demo tenant through the public API, like anyone would.

Every record is looked for before it is made, so that a second run makes nothing and a run that was cut goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2

from crosstie.kit import clock
from crosstie.sandbox import firm
from crosstie.sandbox.post import Post

RECEIVER = "Sandbox receiver of the demo"
#: who keeps people is a matter of the demo's own, and messages are Crosstie's to send
REMOTE = ("treasury", "inventory", "logistics", "pos", "iot", "projects")
SAST = timezone(timedelta(hours=2))
Record = dict[str, Any]


async def load(client: httpx2.AsyncClient, post: Post, tell: Callable[[str], None]) -> int:
    """Have the sandbox's webhook endpoint and services and the firm's records there; how many records were made."""
    demo = Loader(client)
    await demo.endpoint(post.url, post.secret)
    await demo.providers(post)
    if await demo.find("quotes", reference=firm.QUOTES[-1].reference):
        return 0
    tell("Loading the demo tenant: clients, sites, jobs, quotes, visits")
    sites = await _sites(demo)
    jobs = await _jobs(demo, sites)
    await _visits(demo, jobs)
    for quote in firm.QUOTES:
        made = await demo.have("quotes", {"reference": quote.reference}, _quote(quote, jobs))
        await demo.moved("quotes", made, "draft", quote.moves, {"approve": {"approver": firm.APPROVER}})
    return demo.made


async def _sites(demo: Loader) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for client in firm.CLIENTS:
        values = {"name": client.name, "kind": client.kind, "phone": client.phone}
        owner = await demo.have("clients", {"email": client.email}, values)
        known = {site["name"]: site for site in await demo.listed("sites", client_id=owner["id"])}
        for site in client.sites:
            values = {"client_id": owner["id"], **site._asdict()}
            found[site.name] = known.get(site.name) or await demo.make("sites", values)
    return found


async def _jobs(demo: Loader, sites: dict[str, Record]) -> dict[str, Record]:
    found = {}
    for job in firm.JOBS:
        site = sites[job.site]
        values = {"client_id": site["client_id"], "site_id": site["id"]}
        values |= {"title": job.title, "trade": job.trade, "priority": job.priority}
        found[job.reference] = await demo.have("jobs", {"reference": job.reference}, values)
        await demo.moved("jobs", found[job.reference], "requested", job.moves)
    return found


async def _visits(demo: Loader, jobs: dict[str, Record]) -> None:
    people = {
        email: (await demo.have("users", {"email": email}, {"name": name, "role": "technician"}))["id"]
        for email, name in firm.TECHNICIANS.items()
    }
    for visit in firm.VISITS:
        job = jobs[visit.job]["id"]
        start, end = (_moment(visit.day, hour) for hour in visit.hours)
        values = {"technician_id": people[visit.technician], "kind": visit.kind, "starts_at": start, "ends_at": end}
        made = await demo.have("schedules", {"job_id": job}, values)
        await demo.moved("schedules", made, "planned", visit.moves)


def _moment(day: int, hour: int) -> str:
    today: datetime = clock.now().astimezone(SAST).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=day, hours=hour)).isoformat()


def _quote(quote: firm.Quote, jobs: dict[str, Record]) -> Record:
    lines = []
    for line in quote.lines:
        values: Record = line._asdict()
        price = {"amount": values.pop("price"), "currency": "ZAR"}
        lines.append(values | {"unit_price": price, "tax_rate": firm.VAT})
    return {"job_id": jobs[quote.job]["id"], "lines": lines, "valid_until": _moment(30, 17)}


class Loader:
    """Finds or makes records over the API."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.made = 0

    async def endpoint(self, url: str, secret: str) -> None:
        """The webhook endpoint of the sandbox, at the address where it is now."""
        for found in await self.listed("webhook-endpoints"):
            if found["description"] == RECEIVER:
                if found["url"] != url:
                    changed = await self._client.patch(f"/api/v1/webhook-endpoints/{found['id']}", json={"url": url})
                    changed.raise_for_status()
                return
        values = {"url": url, "event_types": ["*"], "description": RECEIVER, "secret": secret}
        await self.make("webhook-endpoints", values)

    async def providers(self, post: Post) -> None:
        """The sandbox as the provider of the services that the firm has outside, at the address where it is now."""
        known = {each["service"]: each["base_url"] for each in await self.listed("service-providers")}
        for service in REMOTE:
            if known.get(service) != post.services:
                auth = {"type": "api_key", "secret": post.key}
                wanted = {"mode": "remote", "base_url": post.services, "auth": auth}
                answer = await self._client.put(f"/api/v1/service-providers/{service}", json=wanted)
                answer.raise_for_status()

    async def find(self, noun: str, **filters: str) -> Record | None:
        """The first record that fits."""
        return next(iter(await self.listed(noun, **filters)), None)

    async def listed(self, noun: str, **filters: str) -> list[Record]:
        """The first 200 records that fit."""
        answer = await self._client.get(f"/api/v1/{noun}", params={"limit": "200", **filters})
        answer.raise_for_status()
        return list(answer.json()["data"])

    async def have(self, noun: str, key: dict[str, str], values: Record) -> Record:
        """The record with this key, made where it is missing."""
        return await self.find(noun, **key) or await self.make(noun, key | values)

    async def make(self, noun: str, values: Record) -> Record:
        """A new record."""
        self.made += 1
        return await self.post(f"/api/v1/{noun}", values)

    async def moved(
        self, noun: str, record: Record, start: str, moves: tuple[str, ...], given: dict[str, Record] | None = None
    ) -> None:
        """The record after its moves; one that has left its first state has made them."""
        if record["status"] == start:
            for move in moves:
                await self.post(f"/api/v1/{noun}/{record['id']}/{move}", (given or {}).get(move, {}))

    async def post(self, path: str, values: Record) -> Record:
        """What a POST answers. Raises where it is refused."""
        answer = await self._client.post(path, json=values)
        answer.raise_for_status()
        return dict(answer.json())
