"""A sample of every noun that callers can make. A new noun is covered by the whole contract through one entry here."""

from __future__ import annotations

import io
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from PIL import Image

Body = dict[str, Any]
NUMBERS = itertools.count(1)


@dataclass
class World:
    """A tenant with what samples refer to, made when it is first asked for."""

    client: httpx2.AsyncClient
    known: dict[str, Body] = field(default_factory=dict)

    async def make(self, noun: str) -> httpx2.Response:
        """A new record of a noun, by its sample."""
        sample = SAMPLES[noun]
        body = await sample.body(self)
        if sample.file is not None:
            part = {"file": (f"{noun}.bin", sample.file(), "application/octet-stream")}
            return await self.client.post(f"/api/v1/{noun}", data=body, files=part)
        return await self.client.post(f"/api/v1/{noun}", json=body)

    async def some(self, noun: str) -> str:
        """The id of a record of a noun that is there to be referred to."""
        if noun not in self.known:
            response = await self.make(noun)
            assert response.status_code == 201, response.text
            self.known[noun] = response.json()
        return str(self.known[noun]["id"])


@dataclass(frozen=True)
class Sample:
    """How a record of a noun is made in tests, what may be changed in it, and what its moves must be given."""

    body: Callable[[World], Awaitable[Body]]
    change: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Body] = field(default_factory=dict)
    file: Callable[[], bytes] | None = None


def picture() -> bytes:
    """A small picture, another one each time."""
    file = io.BytesIO()
    number = next(NUMBERS)
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, 7)).save(file, "PNG")
    return file.getvalue()


async def _client(world: World) -> Body:
    return {"name": f"Client {next(NUMBERS)}", "email": "c@example.com", "external_ids": {"xero": "1"}}


async def _site(world: World) -> Body:
    return {"client_id": await world.some("clients"), "name": f"Site {next(NUMBERS)}", "street": "1 Main Road"}


async def _user(world: World) -> Body:
    return {"email": f"u{next(NUMBERS)}@example.com", "name": "Sipho", "role": "technician"}


async def _role(world: World) -> Body:
    return {"name": f"role_{next(NUMBERS)}", "title": "Reads jobs", "scopes": ["jobs:read"]}


async def _outlet(world: World) -> Body:
    return {"code": f"BR{next(NUMBERS)}", "name": "Knysna", "address": "1 Main Road"}


async def _job(world: World) -> Body:
    return {"client_id": await world.some("clients"), "title": f"Job {next(NUMBERS)}", "due_at": "2030-01-01T00:00:00Z"}


async def _quote(world: World) -> Body:
    price = {"amount": "99.95", "currency": "ZAR"}
    line = {"kind": "labour", "description": "Work", "quantity": "1.5", "unit_price": price, "tax_rate": "15"}
    return {"job_id": await world.some("jobs"), "lines": [line], "title": f"Quote {next(NUMBERS)}"}


async def _schedule(world: World) -> Body:
    day, hour = divmod(next(NUMBERS), 23)
    start = f"20{30 + day // 28 % 60}-05-{day % 28 + 1:02}T{hour:02}"
    return {
        "job_id": await world.some("jobs"),
        "technician_id": await world.some("users"),
        "starts_at": f"{start}:00:00Z",
        "ends_at": f"{start}:30:00Z",
    }


async def _media(world: World) -> Body:
    return {"job_id": await world.some("jobs"), "slot": "before", "caption": "A geyser"}


async def _document(world: World) -> Body:
    return {"job_id": await world.some("jobs"), "title": f"Report {next(NUMBERS)}", "kind": "report"}


async def _certificate(world: World) -> Body:
    return {
        "job_id": await finished(world),
        "document_id": await world.some("documents"),
        "number": f"COC {next(NUMBERS)}",
        "type": "electrical",
        "signatory_registration": "IE 12345",
        "expires_at": "2099-01-01T00:00:00Z",
    }


async def finished(world: World) -> str:
    """The id of a job whose compliance is complete."""
    if "finished" not in world.known:
        job = (await world.make("jobs")).json()
        for move in ("schedule", "start", "complete"):
            await world.client.post(f"/api/v1/jobs/{job['id']}/{move}")
        world.known["finished"] = job
    return str(world.known["finished"]["id"])


async def _payment(world: World) -> Body:
    amount = {"amount": "1200.00", "currency": "ZAR"}
    reference = f"pi_{next(NUMBERS)}"
    return {"job_id": await world.some("jobs"), "amount": amount, "method": "card", "gateway_reference": reference}


async def _endpoint(world: World) -> Body:
    return {"url": f"https://example.com/{next(NUMBERS)}", "event_types": ["job.*"]}


async def _key(world: World) -> Body:
    return {"name": f"Key {next(NUMBERS)}", "scopes": ["jobs:read"]}


async def _hold(world: World) -> Body:
    client = (await world.make("clients")).json()
    return {"subject_type": "client", "subject_id": client["id"], "reason": "A court wants it."}


async def _app(world: World) -> Body:
    return {"name": f"App {next(NUMBERS)}", "scopes": ["jobs:read"], "redirect_uris": ["https://app.example/back"]}


async def _issuer(world: World) -> Body:
    return {"issuer": f"https://issuer.example/{next(NUMBERS)}", "audience": "crosstie", "roles": {"boss": "owner"}}


async def _secret(world: World) -> Body:
    return {"name": f"xero/key-{next(NUMBERS)}", "value": f"a long and secret value {next(NUMBERS)}"}


async def _alert_rule(world: World) -> Body:
    return {"name": f"Rule {next(NUMBERS)}", "kind": "failure_rate", "threshold": "10"}


async def _source(world: World) -> Body:
    return {"name": f"Gateway {next(NUMBERS)}", "dialect": "hmac", "options": {"header": "X-Seal"}}


async def _template(world: World) -> Body:
    values = [{"name": "name", "type": "text", "required": True}]
    name = f"welcome-{next(NUMBERS)}"
    return {"name": name, "locale": "en", "subject": "Hi {{ name }}", "text": "Hello", "placeholders": values}


async def _preference(world: World) -> Body:
    return {"address": f"p{next(NUMBERS)}@example.com", "choices": [{"category": "orders", "wanted": "digest"}]}


#: types of events of which each gets one rule
TYPES = itertools.cycle(f"{noun}.{change}" for noun in ("client", "site", "job", "user", "outlet", "role", "quote")
                        for change in ("created", "updated", "deleted"))  # fmt: skip


async def _notification_rule(world: World) -> Body:
    return {"event_type": next(TYPES), "template": "plain", "audience": ["role:owner"]}


async def _provider(world: World) -> Body:
    options = {"account": "sandbox"}
    return {"name": f"AT {next(NUMBERS)}", "channel": "sms", "kind": "africastalking", "options": options}


async def _suppression(world: World) -> Body:
    return {"channel": "email", "address": f"s{next(NUMBERS)}@example.com"}


SAMPLES: dict[str, Sample] = {
    "clients": Sample(_client, {"name": "Another", "phone": "+27 44 000 0000"}),
    "sites": Sample(_site, {"city": "Knysna", "latitude": "-34.0363"}),
    "users": Sample(_user, {"name": "Another", "role": "owner"}),
    "roles": Sample(_role, {"title": "Reads and writes jobs", "scopes": ["jobs:read", "jobs:write"]}),
    "outlets": Sample(_outlet, {"name": "Plettenberg Bay"}),
    "jobs": Sample(_job, {"title": "Another", "priority": "high"}),
    "quotes": Sample(_quote, {"title": "Another"}, {"approve": {"approver": "Thandi"}, "decline": {"reason": "Dear"}}),
    "schedules": Sample(_schedule, {"notes": "Ring the bell", "time_zone": "Africa/Nairobi"}),
    "media": Sample(_media, {"caption": "Another", "slot": "after"}, file=picture),
    "documents": Sample(_document, {"title": "Another"}, file=picture),
    "certificates": Sample(_certificate, {"type": "gas"}, {"revoke": {"reason": "Wrong"}}),
    "payments": Sample(_payment),
    "webhook-endpoints": Sample(_endpoint, {"description": "Another"}),
    "alert-rules": Sample(_alert_rule, {"threshold": "2.5", "for_seconds": 60}),
    "inbound-sources": Sample(_source, {"name": "Another", "options": {"header": "X-Other"}}),
    "secrets": Sample(_secret, {"description": "Another", "kind": "database"}),
    "api-keys": Sample(_key, {"name": "Another"}),
    "legal-holds": Sample(_hold, {"reason": "Two courts want it."}),
    "oauth-apps": Sample(_app, {"name": "Another"}),
    "message-templates": Sample(_template, {"subject": "Dear {{ name }}", "short": "Hi"}),
    "notification-preferences": Sample(_preference, {"time_zone": "Asia/Dubai", "digest_at": "07:30"}),
    "notification-rules": Sample(_notification_rule, {"channels": ["email"], "otherwise": ["role:admin"]}),
    "notification-providers": Sample(_provider, {"name": "Another", "position": 3}),
    "suppressions": Sample(_suppression),
    "trusted-issuers": Sample(_issuer, {"audience": "another", "default_role": "viewer"}),
}
#: nouns whose makers have a contract of their own, with the test that keeps it
ELSEWHERE: dict[str, str] = {
    "event-types": "tests/integration/api",
    "privacy-requests": "tests/integration/privacy",
}
