"""The sender of the product passes every suite; and how long it keeps a connection."""

import asyncio
import selectors
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress

from crosstie.deliver.sender import CONNECT, Sender
from crosstie.deliver.wire import IDLE, Wire
from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver
from tests.contract.sender.answers import Answers
from tests.contract.sender.connections import Connections
from tests.contract.sender.locks import Locks
from tests.contract.sender.suite import OPEN, request
from tests.parts.authority import authority
from tests.parts.receiver import NO_CONTENT, Peer, answer, receiver


class TestWire(Answers, Connections, Locks):
    def make(self, guard: Guard, resolver: Resolver) -> Sender:
        return Wire(guard, resolver, authority().trust())


SPEED = 20


class Selector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / SPEED)


class Loop(asyncio.SelectorEventLoop):
    def time(self) -> float:
        return super().time() * SPEED


def hasten(test: Callable[[Wire], Awaitable[None]]) -> None:
    """Run a test with a sender on a loop whose clock is faster than the world's."""

    async def run() -> None:
        guard = Guard(OPEN)
        resolver = Resolver(guard)
        wire = Wire(guard, resolver)
        await test(wire)
        await wire.close()
        await resolver.close()

    with asyncio.Runner(loop_factory=lambda: Loop(Selector())) as runner:
        runner.run(run())


def test_idle_connections_are_closed() -> None:
    async def test(wire: Wire) -> None:
        closed = asyncio.Event()

        async def script(peer: Peer) -> None:
            with suppress(asyncio.IncompleteReadError):
                await answer(NO_CONTENT)(peer)
            closed.set()

        async with receiver(script) as seen:
            for _ in range(2):
                assert (await wire.send(request(seen.url(), timeout=10_000))).ok
            assert seen.connections == 1
            await closed.wait()
            assert (await wire.send(request(seen.url(), timeout=10_000))).ok
            assert seen.connections == 2

    hasten(test)


def test_a_connection_in_use_while_idle_ones_are_closed_is_kept() -> None:
    async def test(wire: Wire) -> None:
        async def script(peer: Peer) -> None:
            for pause in (3 * IDLE, 0):
                await peer.request()
                await asyncio.sleep(pause)
                await peer.write(NO_CONTENT)

        async with receiver(script) as seen:
            for _ in range(2):
                assert (await wire.send(request(seen.url(), timeout=10_000))).ok
            assert seen.connections == 1

    hasten(test)


def test_a_connection_is_waited_for_no_longer_than_said() -> None:
    async def test(wire: Wire) -> None:
        with socket.socket() as full, ExitStack() as stack:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            response = await wire.send(request(f"http://127.0.0.1:{full.getsockname()[1]}/", timeout=1000 * CONNECT))
            assert response.error is not None
            assert response.error.code == "connect"

    hasten(test)


async def test_what_ends_after_close_is_not_kept() -> None:
    resolver = Resolver(Guard(OPEN))
    wire = Wire(Guard(OPEN), resolver)
    go, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.write(NO_CONTENT)
        await peer.reader.read()
        closed.set()

    async with receiver(script) as seen:
        task = asyncio.create_task(wire.send(request(seen.url())))
        await seen.arrived(1)
        await wire.close()
        go.set()
        assert (await task).ok
        await closed.wait()
    await resolver.close()
