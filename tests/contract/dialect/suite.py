"""What every dialect keeps, on a real installation. Whoever signs in these tests has not read our code: the providers'
own libraries where there are some, else OpenSSL's HMAC.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from tests.fence import fence, until
from tests.stage import Tenant, calling

HASHES: dict[str, type[hashes.HashAlgorithm]] = {"sha256": hashes.SHA256, "sha512": hashes.SHA512, "sha1": hashes.SHA1}


def sealed(key: str, content: bytes, algorithm: str = "sha256") -> bytes:
    """OpenSSL's HMAC."""
    made = HMAC(key.encode(), HASHES[algorithm]())
    made.update(content)
    return made.finalize()


def base(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass
class Hook:
    """A source of one test, and what it became."""

    tenant: Tenant
    client: httpx2.AsyncClient
    id: str
    url: str
    secret: str
    seen: set[str] = field(default_factory=set)

    async def post(self, headers: dict[str, str], body: bytes, url: str = "") -> httpx2.Response:
        async with calling() as caller:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            return await caller.post(url or self.url, headers=raw, content=body)

    async def requests(self, count: int, **query: str) -> list[dict[str, Any]]:
        """What was kept, oldest first, once there are so many and none is pending."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            page = await self.client.get("/api/v1/inbound-requests", params={"source_id": self.id} | query)
            assert page.status_code == 200, page.text
            found[:] = reversed(page.json()["data"])
            return len(found) >= count and all(each["status"] != "pending" for each in found)

        await until(there)
        assert len(found) == count, found
        return found

    async def events(self) -> list[dict[str, Any]]:
        """What it made, oldest first."""
        await fence(self.client)
        page = await self.client.get("/api/v1/events", params={"sort": "created_at", "limit": "200"})
        return [each for each in page.json()["data"] if each["actor"]["type"] == "inbound_source"]


class Suite:
    """A dialect's test class inherits it and says how it signs. `header` is what proves the request."""

    dialect: str
    header: str
    secret: str | None = "a-shared-secret-of-some-length"
    other = "another-secret-of-the-same-length"
    options: Mapping[str, Any] = MappingProxyType({})
    #: what is kept of a refused request proves it again
    lasting = True
    media = "application/json"

    def body(self, number: int) -> bytes:
        return json.dumps({"number": number, "name": "Zoë"}).encode()

    def sign(self, secret: str, body: bytes, url: str, at: int) -> dict[str, str]:
        raise NotImplementedError

    def signed(self, hook: Hook, body: bytes, *, secret: str = "", at: int = 0) -> dict[str, str]:
        made = self.sign(secret or hook.secret, body, hook.url, at or int(time.time()))
        return {"content-type": self.media} | {name.lower(): value for name, value in made.items()}

    @pytest.fixture
    async def hook(self, tenant: Tenant, client: httpx2.AsyncClient) -> Hook:
        return await self.made(tenant, client)

    async def made(self, tenant: Tenant, client: httpx2.AsyncClient, **changes: Any) -> Hook:
        document = {"name": "A party", "dialect": self.dialect, "secret": self.secret, "options": dict(self.options)}
        made = await client.post("/api/v1/inbound-sources", json=document | changes)
        assert made.status_code == 201, made.text
        source = made.json()
        return Hook(tenant, client, source["id"], source["url"], source["secret"])

    async def test_a_good_request_is_one_event(self, hook: Hook) -> None:
        body = self.body(1)
        answer = await hook.post(self.signed(hook, body), body)
        assert answer.is_success, answer.text
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["verified"], kept["size"]) == ("accepted", True, len(body))
        assert kept["body"] == body.decode()
        (event,) = await hook.events()
        assert event["event_id"] == kept["event_id"]
        assert event["actor"]["id"] == hook.id

    async def test_a_repeat_is_thanked_and_counts_once(self, hook: Hook) -> None:
        body = self.body(1)
        headers = self.signed(hook, body)
        answers = [await hook.post(headers, body) for _ in range(3)]
        assert all(answer.is_success for answer in answers)
        kept = await hook.requests(3)
        assert sorted(each["status"] for each in kept) == ["accepted", "duplicate", "duplicate"]
        assert len({each["event_id"] for each in kept}) == 1
        assert len(await hook.events()) == 1

    async def test_another_is_another_event(self, hook: Hook) -> None:
        for number in (1, 2):
            body = self.body(number)
            assert (await hook.post(self.signed(hook, body), body)).is_success
        assert [each["status"] for each in await hook.requests(2)] == ["accepted"] * 2
        assert len({event["event_id"] for event in await hook.events()}) == 2

    async def refused(self, hook: Hook, headers: dict[str, str], body: bytes, *reasons: str) -> None:
        answer = await hook.post(headers, body)
        assert answer.status_code == 401, answer.text
        assert answer.json()["code"] == "unauthorized"
        assert "www-authenticate" in answer.headers
        (kept,) = await hook.requests(1, status="rejected")
        assert kept["reason"] in reasons
        assert (kept["verified"], kept["event_id"], kept["size"]) == (False, None, len(body))
        assert await hook.events() == []

    async def test_no_request_is_an_error_of_ours(self, hook: Hook) -> None:
        good = self.signed(hook, self.body(1))
        for body in (b"", b"\xff\xfe\0", b"[" * 10_000, b'{"id": "\\u0000"}', b"null", b"7", b"a=" * 5000):
            for media in ("application/json", "application/x-www-form-urlencoded", "text/plain", "", "\xff"):
                answer = await hook.post(good | {"content-type": media}, body)
                assert answer.status_code < 500, (body[:20], media)
                signed = self.sign(hook.secret, body, hook.url, int(time.time())) if body.isascii() else good
                answer = await hook.post(signed | {"content-type": media}, body)
                assert answer.status_code < 500, (body[:20], media)


class Proved(Suite):
    """One that proves itself by a header."""

    async def test_an_altered_proof_is_refused_and_kept(self, hook: Hook) -> None:
        body = self.body(1)
        headers = self.signed(hook, body)
        proof = headers[self.header]
        for wrong in (f"{proof[:-8]}AAAAaaaa", proof[:-1], "", "ü", "=" * 40, f"x{proof}"):
            answer = await hook.post(headers | {self.header: wrong}, body)
            assert answer.status_code == 401, wrong
        assert await hook.events() == []

    async def test_without_its_header_it_is_refused_and_kept(self, hook: Hook) -> None:
        body = self.body(1)
        headers = {name: value for name, value in self.signed(hook, body).items() if name != self.header}
        await self.refused(hook, headers, body, "missing_header")

    async def test_another_secret_is_refused_and_kept(self, hook: Hook) -> None:
        body = self.body(1)
        await self.refused(hook, self.signed(hook, body, secret=self.other), body, "bad_signature", "bad_credential")

    async def test_a_rotated_secret_works_for_the_overlap(self, hook: Hook) -> None:
        path = f"/api/v1/inbound-sources/{hook.id}/rotate-secret"
        done = await hook.client.post(path, json={"secret": self.other})
        assert done.status_code == 200, done.text
        for number, secret in enumerate((self.other, hook.secret)):
            body = self.body(number)
            assert (await hook.post(self.signed(hook, body, secret=secret), body)).is_success
        done = await hook.client.post(path, json={"secret": hook.secret, "overlap_seconds": 0})
        assert done.json()["old_until"] is None
        await self._until_refused(hook)

    async def _until_refused(self, hook: Hook) -> None:
        body = self.body(9)

        async def refused() -> bool:
            return (await hook.post(self.signed(hook, body, secret=self.other), body)).status_code == 401

        await until(refused)

    async def test_a_refused_one_is_replayed_once_the_secret_is_right(
        self, tenant: Tenant, client: httpx2.AsyncClient
    ) -> None:
        hook = await self.made(tenant, client, secret=self.other)
        body = self.body(1)
        assert self.secret is not None
        assert (await hook.post(self.signed(hook, body, secret=self.secret), body)).status_code == 401
        (kept,) = await hook.requests(1)
        replay = f"/api/v1/inbound-requests/{kept['id']}/replay"
        if self.lasting:  # it proves itself again, and does not yet
            assert (await client.post(replay)).json()["status"] == "pending"
            (kept,) = await hook.requests(1)
            assert (kept["status"], kept["verified"]) == ("rejected", False)
        await client.post(f"/api/v1/inbound-sources/{hook.id}/rotate-secret", json={"secret": self.secret})
        again = await client.post(replay)
        if not self.lasting:
            assert (again.status_code, again.json()["code"]) == (409, "move_refused")
            return
        assert again.status_code == 200, again.text
        (kept,) = await hook.requests(1)
        assert (kept["status"], kept["verified"]) == ("accepted", True)
        assert len(await hook.events()) == 1
        # what counted counts once, however often it is asked for
        assert (await client.post(replay)).json()["status"] == "accepted"
        assert len(await hook.events()) == 1


class Covered(Proved):
    """One whose proof covers the body."""

    async def test_an_altered_body_is_refused_and_kept(self, hook: Hook) -> None:
        body = self.body(1)
        await self.refused(hook, self.signed(hook, body), body.replace(b"1", b"7", 1), "bad_signature")


class Aged(Covered):
    """One whose proof says when it was made."""

    @pytest.mark.parametrize(("drift", "reason"), [(-310, "too_old"), (310, "too_new")])
    async def test_what_was_signed_at_another_time_is_refused(self, hook: Hook, drift: int, reason: str) -> None:
        body = self.body(1)
        await self.refused(hook, self.signed(hook, body, at=int(time.time()) + drift), body, reason)
