"""The fetcher: documents from where the guard allows, bounded in time and size, and from nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from crosstie.kit.egress import Guard
from crosstie.kit.fetch import SIZE, Fetcher, Unfetched
from crosstie.kit.resolver import Resolver
from tests.parts.authority import authority
from tests.parts.names import Names, names
from tests.parts.receiver import Peer, answer, once, receiver, reply, tripwires


@pytest.fixture
async def dns() -> AsyncIterator[Names]:
    async with names() as server:
        yield server


@pytest.fixture
async def fetcher(dns: Names) -> AsyncIterator[Fetcher]:
    guard = Guard(["127.0.0.1/32"])
    resolver = Resolver(guard, [dns.address])
    made = Fetcher(guard, resolver, authority().trust())
    yield made
    await made.close()
    await resolver.close()


async def test_a_document_over_tls_with_the_names_certificate(fetcher: Fetcher, dns: Names) -> None:
    dns.set("issuer.test", ["127.0.0.1"])
    async with receiver(once(reply("200 OK", body=b'{"keys":[]}')), tls=authority().serve("issuer.test")) as server:
        assert await fetcher.get(server.url("issuer.test", "/keys?a=b")) == b'{"keys":[]}'
        head = server.requests[0].lower()
        assert head.startswith(b"get /keys?a=b http/1.1\r\n")
        assert b"\r\naccept-encoding: identity\r\n" in head
        assert f"host: issuer.test:{server.port}".encode() in head
        with pytest.raises(Unfetched):
            await fetcher.get(server.url("127.0.0.1"))  # the certificate is not for this name


async def test_what_the_guard_forbids_is_not_connected_to(fetcher: Fetcher, dns: Names) -> None:
    async with tripwires("127.0.0.2") as (wire,):
        dns.set("rebound.test", ["127.0.0.2"])
        dns.set("mixed.test", ["127.0.0.1", "127.0.0.2"])
        for host in ("127.0.0.2", "rebound.test", "mixed.test", "2130706434", "unknown.test"):
            for scheme in ("http", "https"):
                with pytest.raises(Unfetched):
                    await fetcher.get(f"{scheme}://{host}:{wire.port}/keys")


async def test_redirects_lead_nowhere(fetcher: Fetcher) -> None:
    async with tripwires("127.0.0.1") as (wire,):
        for status in ("301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
            script = once(reply(status, f"Location: http://127.0.0.1:{wire.port}/", body=b'{"keys":[]}'))
            async with receiver(script) as server:
                with pytest.raises(Unfetched, match=status[:3]):
                    await fetcher.get(server.url())


@pytest.mark.parametrize(
    "data",
    [
        reply("404 Not Found"),
        reply("500 Oops"),
        reply("200 OK", "Content-Encoding: gzip", body=b"x"),
        reply("200 OK", body=b"x" * (SIZE + 1)),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"ffff\r\n"
        + b"x" * 65535
        + b"\r\nff\r\n"
        + b"x" * 255,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["missing", "error", "packed", "large", "large in pieces", "cut", "nonsense", "nothing"],
)
async def test_bad_answers_are_none(fetcher: Fetcher, data: bytes) -> None:
    async with receiver(once(data)) as server:
        with pytest.raises(Unfetched):
            await fetcher.get(server.url())


async def test_an_answer_that_drips_is_given_up(dns: Names) -> None:
    guard = Guard(["127.0.0.1/32"])
    resolver = Resolver(guard, [dns.address])
    fetcher = Fetcher(guard, resolver, seconds=0.5)

    async def drip(peer: Peer) -> None:
        await peer.request()
        await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await peer.write(b"x")
            await asyncio.sleep(0.05)

    async with receiver(drip) as server:
        with pytest.raises(Unfetched, match="within"):
            await fetcher.get(server.url())
    await fetcher.close()
    await resolver.close()


async def test_whole_answers_of_the_full_size(fetcher: Fetcher) -> None:
    async with receiver(answer(reply("200 OK", body=b"x" * SIZE))) as server:
        assert len(await fetcher.get(server.url())) == SIZE
        assert len(await fetcher.get(server.url())) == SIZE
        assert server.connections == 2, "each is judged anew"
