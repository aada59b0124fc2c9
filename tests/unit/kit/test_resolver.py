"""The resolver, asked against a DNS server of our own."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from crosstie.kit import resolver
from crosstie.kit.egress import Forbidden, Guard
from crosstie.kit.resolver import Resolver, Unresolved
from tests.parts.names import Names, names


@pytest.fixture
async def server() -> AsyncIterator[Names]:
    async with names() as server:
        yield server


@pytest.fixture
async def dns(server: Names) -> AsyncIterator[Resolver]:
    dns = Resolver(Guard(["127.0.0.1/32"]), [server.address])
    yield dns
    await dns.close()


async def test_every_address_of_a_name(server: Names, dns: Resolver) -> None:
    server.set("good.test", ["93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"])
    assert set(await dns.resolve("good.test", 443, "https")) == {
        ip_address("93.184.216.34"),
        ip_address("93.184.216.35"),
        ip_address("2606:2800:220:1::1"),
    }


@pytest.mark.parametrize(
    "answers",
    [
        ["10.0.0.5"],
        ["93.184.216.34", "10.0.0.5"],
        ["169.254.169.254", "93.184.216.34"],
        ["93.184.216.34", "127.0.0.2"],
        ["93.184.216.34", "::2"],
        ["93.184.216.34", "::ffff:169.254.169.254"],
        ["::ffff:10.0.0.5"],
        ["64:ff9b::a9fe:a9fe"],
        ["fd00:ec2::254"],
        ["0.0.0.0"],
        ["168.63.129.16"],
    ],
)
async def test_one_closed_address_closes_the_name(server: Names, dns: Resolver, answers: list[str]) -> None:
    server.set("evil.test", answers)
    with pytest.raises(Forbidden) as caught:
        await dns.resolve("evil.test", 443, "https")
    assert str(caught.value) == "evil.test leads to an address that is not called"
    assert caught.value.__suppress_context__


async def test_an_alias_is_judged_by_its_addresses(server: Names, dns: Resolver) -> None:
    server.set("alias.test", ["inner.test"])
    server.set("inner.test", ["10.0.0.5"])
    with pytest.raises(Forbidden):
        await dns.resolve("alias.test", 443, "https")


async def test_localhost_is_both_loopbacks(dns: Resolver) -> None:
    assert ip_address("127.0.0.1") in await dns.resolve("localhost", 8080, "http")


async def test_plain_http_leads_only_to_what_the_operator_opened(server: Names, dns: Resolver) -> None:
    server.set("good.test", ["93.184.216.34"])
    server.set("laptop.test", ["127.0.0.1"])
    assert await dns.resolve("laptop.test", 8080, "http") == (ip_address("127.0.0.1"),)
    with pytest.raises(Forbidden):
        await dns.resolve("good.test", 80, "http")


async def test_a_name_that_does_not_exist(server: Names, dns: Resolver) -> None:
    with pytest.raises(Unresolved, match=r"nowhere\.test: "):
        await dns.resolve("nowhere.test", 443, "https")


async def test_a_name_without_an_address(server: Names, dns: Resolver) -> None:
    server.set("empty.test", [])
    with pytest.raises(Unresolved, match=r"empty\.test: "):
        await dns.resolve("empty.test", 443, "https")


async def test_a_silent_server_costs_three_seconds_at_most(server: Names, dns: Resolver) -> None:
    server.set("silent.test")
    async with asyncio.timeout(resolver.LIMIT + 10):
        with pytest.raises(Unresolved):
            await dns.resolve("silent.test", 443, "https")


async def test_a_backlog_is_one_question(server: Names, dns: Resolver) -> None:
    server.set("good.test", ["93.184.216.34"], ["93.184.216.35"])
    answers = await asyncio.gather(*(dns.resolve("good.test", 443, "https") for _ in range(100)))
    assert len(set(answers)) == 1
    assert server.asked["good.test"] == 2  # A and AAAA


async def test_one_caller_that_gives_up_does_not_disturb_the_others(server: Names, dns: Resolver) -> None:
    server.set("good.test", ["93.184.216.34"])
    first = asyncio.create_task(dns.resolve("good.test", 443, "https"))
    await asyncio.sleep(0)
    first.cancel()
    assert await dns.resolve("good.test", 443, "https") == (ip_address("93.184.216.34"),)
