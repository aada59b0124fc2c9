"""The client of remote services: only where the guard allows, whole answers in time, the truth about what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from crosstie.kit.egress import Guard
from crosstie.kit.http import SIZE, Client, Failed
from crosstie.kit.resolver import Resolver
from tests.parts.authority import authority
from tests.parts.names import Names, names
from tests.parts.receiver import Peer, answer, once, receiver, reply, tripwires

JSON = {"content-type": "application/json"}


@pytest.fixture
async def dns() -> AsyncIterator[Names]:
    async with names() as server:
        yield server


@pytest.fixture
async def client(dns: Names) -> AsyncIterator[Client]:
    guard = Guard(["127.0.0.1/32"])
    resolver = Resolver(guard, [dns.address])
    made = Client(guard, resolver, authority().trust())
    yield made
    await made.close()
    await resolver.close()


async def failing(client: Client, url: str, seconds: float = 10, **headers: str) -> Failed:
    """Why a POST has no answer."""
    with pytest.raises(Failed) as found:
        await client.send("POST", url, JSON | headers, b"{}", seconds)
    return found.value


async def test_requests_over_one_connection(client: Client, dns: Names) -> None:
    dns.set("treasury.test", ["127.0.0.1"])
    script = answer(reply("201 Created", "X-One: a", "X-One: b", body=b"{}"))
    async with receiver(script, tls=authority().serve("treasury.test")) as server:
        url = server.url("treasury.test", "/api/v1/bills?a=%20b")
        for _ in range(3):
            found = await client.send("POST", url, JSON | {"idempotency-key": "k"}, b'{"a":1}', 10)
            assert (found.status, found.body, found.headers["x-one"]) == (201, b"{}", "b")
        assert server.connections == 1
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /api/v1/bills?a=%20b HTTP/1.1\r\n")
        assert b"\r\nidempotency-key: k" in head.lower()
        assert body == b'{"a":1}'


async def test_what_the_guard_forbids_is_not_connected_to(client: Client, dns: Names) -> None:
    async with tripwires("127.0.0.2") as (wire,):
        dns.set("rebound.test", ["127.0.0.2"])
        dns.set("mixed.test", ["127.0.0.1", "127.0.0.2"])
        for host in ("127.0.0.2", "rebound.test", "mixed.test", "2130706434"):
            for scheme in ("http", "https"):
                found = await failing(client, f"{scheme}://{host}:{wire.port}/")
                assert (found.code, found.sent) == ("egress_forbidden", False), host
        assert (await failing(client, f"http://unknown.test:{wire.port}/")).code == "dns"


async def test_redirects_are_handed_back(client: Client) -> None:
    async with tripwires("127.0.0.1") as (wire,):
        script = once(reply("307 Temporary Redirect", f"Location: http://127.0.0.1:{wire.port}/"))
        async with receiver(script) as server:
            assert (await client.send("POST", server.url(), JSON, b"{}", 10)).status == 307


async def test_nobody_is_there(client: Client) -> None:
    async with receiver(once(b"")) as server:
        url = server.url()
    found = await failing(client, url)
    assert (found.code, found.sent) == ("connect", False)


async def drip(peer: Peer) -> None:
    await peer.request()
    for byte in reply("200 OK", body=b"x" * 100):
        await peer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def deaf(peer: Peer) -> None:
    await peer.request()
    await asyncio.sleep(60)


async def reset(peer: Peer) -> None:
    await peer.request()
    peer.reset()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (drip, "timeout"),
        (deaf, "timeout"),
        (reset, "reset"),
        (once(b""), "reset"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"), "reset"),
        (once(b"nonsense\r\n\r\n"), "reset"),
        (once(reply("200 OK", "Content-Encoding: gzip", body=b"x")), "packed"),
        (once(reply("200 OK", body=b"x" * (SIZE + 1))), "too_large"),
    ],
    ids=["drip", "deaf", "reset", "nothing", "cut", "nonsense", "packed", "large"],
)
async def test_what_was_sent_may_have_been_done(client: Client, script: object, code: str) -> None:
    async with receiver(script) as server:  # type: ignore[arg-type]
        found = await failing(client, server.url(), 1)
    assert (found.code, found.sent) == (code, True)


async def test_a_header_that_cannot_be_sent_is_not(client: Client) -> None:
    async with receiver(once(reply("200 OK"))) as server:
        found = await failing(client, server.url(), authorization="Bearer a\r\nx-evil: 1")
        assert (found.code, found.sent) == ("invalid_request", False)
        assert server.requests == []
