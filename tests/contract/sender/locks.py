"""Where a sender must not go. Tripwires listen there, and nobody may ever connect to them: not a packet leaves."""

import pytest

from crosstie.deliver.sender import Response, Sender
from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver
from tests.contract.sender.suite import OPEN, Suite, request
from tests.parts.authority import authority
from tests.parts.names import Names
from tests.parts.receiver import NO_CONTENT, Receiver, answer, receiver, tripwires
from tests.vectors.targets import FORBIDDEN, spellings

CLOSED = ("127.0.0.2", "127.8.8.8")
SPELLINGS = (*spellings("127.0.0.2"), "127.0.0.2%00", "0", "0.0.0.0", "[::]")


def refused(response: Response) -> bool:
    return response.error is not None and response.error.code == "egress_forbidden" and response.status is None


class Locks(Suite):
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("host", [*CLOSED, *SPELLINGS])
    async def test_a_closed_address_in_every_spelling(self, sender: Sender, scheme: str, host: str) -> None:
        async with tripwires(*CLOSED) as [wire, _]:
            assert refused(await sender.send(request(f"{scheme}://{host}:{wire.port}/")))

    async def test_the_whole_corpus(self, dns: Names) -> None:
        guard = Guard()
        resolver = Resolver(guard, [dns.address])
        sender = self.make(guard, resolver)
        for url in FORBIDDEN:
            assert refused(await sender.send(request(url))), url
        assert not dns.asked
        await sender.close()
        await resolver.close()

    @pytest.mark.parametrize(
        "addresses",
        [
            ["127.0.0.2"],
            ["127.0.0.1", "127.0.0.2"],
            ["127.0.0.2", "127.0.0.1"],
            ["127.0.0.1", "::1", "127.8.8.8"],
            ["127.0.0.1", "::ffff:127.0.0.2"],
            ["127.0.0.1", "169.254.169.254"],
            ["alias.test"],
        ],
    )
    async def test_a_name_with_one_closed_address(self, sender: Sender, dns: Names, addresses: list[str]) -> None:
        dns.set("evil.test", addresses)
        dns.set("alias.test", ["127.0.0.2"])
        async with tripwires("127.0.0.1", *CLOSED) as [wire, *_]:
            assert refused(await sender.send(request(wire.url("evil.test"))))

    async def test_a_name_that_turns(self, dns: Names) -> None:
        """What is resolved is what is called, so there is nothing to turn between; the next look-up is judged anew."""
        dns.set("evil.test", ["127.0.0.1"], ["127.0.0.2"])
        guard = Guard(OPEN)
        async with receiver(answer(NO_CONTENT)) as good, tripwires("127.0.0.2", port=good.port):
            for expected in (False, True, True):
                resolver = Resolver(guard, [dns.address])
                sender = self.make(guard, resolver)
                assert refused(await sender.send(request(good.url("evil.test")))) is expected
                await sender.close()
                await resolver.close()
            assert len(good.requests) == 1

    async def test_a_resolver_that_lies_meets_the_second_lock(self, dns: Names) -> None:
        dns.set("evil.test", ["127.0.0.2"])
        dns.set("worse.test", ["127.0.0.1", "127.0.0.2"])
        resolver = Resolver(Guard(["127.0.0.0/8"]), [dns.address])
        sender = self.make(Guard(OPEN), resolver)
        async with tripwires("127.0.0.2") as [wire]:
            assert refused(await sender.send(request(wire.url("evil.test"))))
            assert not (await sender.send(request(wire.url("worse.test")))).ok
        await sender.close()
        await resolver.close()

    async def test_an_address_open_to_https_is_closed_to_http(self, dns: Names) -> None:
        dns.set("good.test", ["93.184.216.34"])
        guard = Guard(OPEN)
        resolver = Resolver(guard, [dns.address])
        sender = self.make(guard, resolver)
        assert refused(await sender.send(request("http://good.test/")))
        assert refused(await sender.send(request("https://good.test:22/")))
        await sender.close()
        await resolver.close()

    async def test_names_that_lead_nowhere(self, sender: Sender, dns: Names) -> None:
        dns.set("empty.test", [])
        for host in ("nowhere.test", "empty.test"):
            response = await sender.send(request(f"https://{host}/"))
            assert response.error is not None
            assert response.error.code == "dns"
            assert host in response.error.message

    async def test_a_name_server_that_is_silent(self, sender: Sender, dns: Names) -> None:
        dns.set("silent.test")
        response = await sender.send(request("https://silent.test/", timeout=0.4))
        assert response.error is not None
        assert response.error.code == "timeout"

    @pytest.mark.parametrize("answers", [["127.0.0.1"], ["::1"], ["127.0.0.1", "::1"]])
    async def test_open_names_are_called(self, sender: Sender, dns: Names, answers: list[str]) -> None:
        dns.set("good.test", answers)
        dns.set("xn--bcher-kva.test", answers)
        dns.set("my_service.test", answers)
        host = "::1" if answers == ["::1"] else "127.0.0.1"
        async with receiver(answer(NO_CONTENT), host) as seen:
            for name in ("good.test", "GOOD.test.", "bücher.test", "my_service.test"):
                response = await sender.send(request(seen.url(name)))
                assert response.ok, response.error
            hosts = [one.split(b"\r\n")[1] for one in seen.requests]
            assert len(hosts) == 4
            assert f"Host: xn--bcher-kva.test:{seen.port}".lower().encode() in [host.lower() for host in hosts]

    async def test_open_ipv6_literal(self, sender: Sender) -> None:
        async with receiver(answer(NO_CONTENT), "::1") as seen:
            assert (await sender.send(request(seen.url("[::1]")))).ok
            assert (await sender.send(request(seen.url("[0:0:0:0:0:0:0:1]")))).ok

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_proxies_of_the_environment_are_not_used(
        self, dns: Names, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        tls = authority().serve("127.0.0.1") if scheme == "https" else None
        async with tripwires("127.0.0.1") as [proxy], receiver(answer(NO_CONTENT), tls=tls) as seen:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(path=""))
                monkeypatch.setenv(name.lower(), proxy.url(path=""))
            await self._reach(dns, seen)

    async def _reach(self, dns: Names, seen: Receiver) -> None:
        guard = Guard(OPEN)
        resolver = Resolver(guard, [dns.address])
        sender = self.make(guard, resolver)
        assert (await sender.send(request(seen.url()))).ok
        await sender.close()
        await resolver.close()
