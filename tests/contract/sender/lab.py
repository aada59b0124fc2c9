"""A network of its own, where the addresses of a cloud's inside exist and a public one too; run by `test_lab.py`.

Here the guard stands as an operator leaves it, with no network opened. What is public must be reached, over TLS on port
443; where metadata and private addresses listen, nobody may ever connect.
"""

import asyncio
import subprocess
from contextlib import AsyncExitStack

from crosstie.deliver.sender import Request
from crosstie.deliver.wire import Wire
from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver
from tests.parts.authority import authority
from tests.parts.names import names
from tests.parts.receiver import NO_CONTENT, answer, receiver, tripwires
from tests.vectors.targets import FORBIDDEN

PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
FOUR = ("10.0.0.5", "100.100.100.200", "127.0.0.1", "168.63.129.16", "169.254.169.254", "172.16.0.5", "192.168.0.5")
SIX = ("::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1")
INNER = FOUR + SIX


def settle() -> None:
    for address in PUBLIC + INNER:
        length = "128" if ":" in address else "32"
        subprocess.run(["ip", "address", "replace", f"{address}/{length}", "dev", "lo"], check=True)


async def run() -> None:
    tls = authority().serve("good.test", "alias.test", *PUBLIC)
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(names())
        seen = [await stack.enter_async_context(receiver(answer(NO_CONTENT), host, 443, tls)) for host in PUBLIC]
        for port in (80, 443):
            await stack.enter_async_context(tripwires(*INNER, port=port))
        resolver = Resolver(Guard(), [dns.address])
        wire = Wire(Guard(), resolver, authority().trust())
        dns.set("good.test", list(PUBLIC))
        dns.set("alias.test", ["good.test"])
        for url in ("https://good.test/", "https://alias.test/", f"https://{PUBLIC[0]}/", f"https://[{PUBLIC[1]}]/"):
            response = await wire.send(Request(url, {}, b"{}"))
            assert response.ok, (url, response.error)
        for number, address in enumerate(INNER):
            dns.set(f"inner{number}.test", [address])
            dns.set(f"mixed{number}.test", [PUBLIC[0], address])
            dns.set(f"alias{number}.test", [f"inner{number}.test"])
        hosts = [f"{kind}{number}.test" for number in range(len(INNER)) for kind in ("inner", "mixed", "alias")]
        urls = [f"{scheme}://{host}/" for scheme in ("https", "http") for host in (*hosts, "good.test")]
        for url in (*urls[: len(hosts)], *urls[len(hosts) + 1 :], *FORBIDDEN):
            response = await wire.send(Request(url, {}, b"{}"))
            assert response.error is not None, url
            assert response.error.code == "egress_forbidden", (url, response.error)
        assert sum(len(one.requests) for one in seen) == 4
        await wire.close()
        await resolver.close()


if __name__ == "__main__":
    settle()
    asyncio.run(run())
