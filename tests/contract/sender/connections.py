"""What becomes of connections: kept, closed at the worst moment, cut, never made."""

import asyncio
import resource
import socket
from contextlib import ExitStack
from datetime import timedelta

import pytest

from crosstie.deliver.sender import RESERVED, Sender
from tests.contract.sender.suite import BODY, Suite, request
from tests.parts.authority import DAY, authority
from tests.parts.names import Names
from tests.parts.receiver import NO_CONTENT, Peer, Script, answer, receiver, reply, tripwires


def hang_up(rst: bool, after: bytes = b"") -> Script:
    """Read one request, answer a part of it, hang up."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(after)
        if rst:
            await asyncio.sleep(0.05)  # a reset may overtake what was written
            peer.reset()

    return script


class Connections(Suite):
    async def test_connections_are_kept(self, sender: Sender) -> None:
        async with receiver(answer(NO_CONTENT)) as seen:
            for _ in range(10):
                assert (await sender.send(request(seen.url()))).ok
            assert seen.connections == 1

    async def test_many_at_once(self, sender: Sender) -> None:
        async with receiver(answer(reply("200 OK", body=b"x" * 1000))) as seen:
            responses = await asyncio.gather(*(sender.send(request(seen.url())) for _ in range(200)))
            assert all(response.ok for response in responses)
            assert len(seen.requests) == 200

    async def test_a_slow_receiver_holds_up_nobody_else(self, sender: Sender) -> None:
        async def sleep(peer: Peer) -> None:
            await peer.request()
            await asyncio.sleep(60)

        async with receiver(sleep) as slow, receiver(answer(NO_CONTENT)) as quick:
            waiting = [asyncio.create_task(sender.send(request(slow.url()))) for _ in range(300)]
            await slow.arrived(300)
            response = await sender.send(request(quick.url()))
            assert response.ok
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def test_a_connection_closed_while_idle_is_replaced(self, sender: Sender) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.write(NO_CONTENT)

        async with receiver(script) as seen:
            for _ in range(3):
                assert (await sender.send(request(seen.url()))).ok
                await asyncio.sleep(0.02)
            assert len(seen.requests) == 3

    @pytest.mark.parametrize("rst", [False, True])
    async def test_a_connection_closed_as_it_is_used_again_is_replaced_within_the_attempt(
        self, sender: Sender, rst: bool
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.write(NO_CONTENT)
            await peer.reader.readexactly(1)
            if rst:
                peer.reset()

        async with receiver(script) as seen:
            for _ in range(4):
                response = await sender.send(request(seen.url()))
                assert response.ok
                assert response.status == 204

    async def test_a_receiver_that_restarts_loses_nothing(self, sender: Sender) -> None:
        async with receiver(answer(NO_CONTENT)) as seen:
            port = seen.port
            assert all(one.ok for one in await asyncio.gather(*(sender.send(request(seen.url())) for _ in range(20))))
        async with receiver(answer(NO_CONTENT), port=port) as seen:
            assert all(one.ok for one in await asyncio.gather(*(sender.send(request(seen.url())) for _ in range(20))))

    @pytest.mark.parametrize("rst", [False, True])
    async def test_a_new_connection_that_is_closed_is_no_second_request(self, sender: Sender, rst: bool) -> None:
        async with receiver(hang_up(rst)) as seen:
            response = await sender.send(request(seen.url()))
            assert response.error is not None
            assert (response.status, response.error.code) == (None, "reset")
            assert len(seen.requests) == 1

    @pytest.mark.parametrize("rst", [False, True])
    async def test_closed_in_the_middle_of_the_answer(self, sender: Sender, rst: bool) -> None:
        part = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        async with receiver(hang_up(rst, part)) as seen:
            response = await sender.send(request(seen.url()))
            assert response.error is not None
            assert (response.status, response.error.code, response.ok) == (200, "reset", False)
            assert len(seen.requests) == 1

    async def test_closed_before_the_request_is_read(self, sender: Sender) -> None:
        async def script(peer: Peer) -> None:
            peer.reset()

        async with receiver(script) as seen:
            response = await sender.send(request(seen.url(), body=BODY * 50_000))
            assert response.error is not None
            assert response.error.code == "reset"

    async def test_an_answer_before_the_request_is_read(self, sender: Sender) -> None:
        async def script(peer: Peer) -> None:
            await peer.write(reply("413 Too Large", "Connection: close", body=b"no"))
            await asyncio.sleep(0.2)

        async with receiver(script) as seen:
            response = await sender.send(request(seen.url(), body=BODY * 50_000))
            assert response.status == 413 or response.error is not None
            assert not response.ok

    @pytest.mark.parametrize("packets", [1, 2])
    @pytest.mark.parametrize("whole", [True, False])
    async def test_an_answer_that_nobody_asked_for_answers_nothing(
        self, sender: Sender, packets: int, whole: bool
    ) -> None:
        forged = reply("200 OK", body=b"forged")
        first, rest = (forged, b"") if whole else (forged[:20], forged[20:])
        written = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            peer.writer.write(NO_CONTENT + (first if packets == 1 else b""))
            await asyncio.sleep(0.05)
            peer.writer.write(b"" if packets == 1 else first)
            written.set()
            while True:
                await peer.request()
                peer.writer.write(rest + reply("500 No"))

        async with receiver(script) as seen:
            assert (await sender.send(request(seen.url()))).status == 204
            await written.wait()
            await asyncio.sleep(0.05)  # a turn of the loop: what was written is read
            later = await sender.send(request(seen.url()))
            assert (later.status, later.body) == (204, b"")
            assert seen.connections == 2

    async def test_a_receiver_that_says_close_and_does_not(self, sender: Sender) -> None:
        async with receiver(answer(reply("200 OK", "Connection: close"))) as seen:
            for _ in range(2):
                assert (await sender.send(request(seen.url()))).ok
            assert seen.connections == 2

    async def test_a_kept_connection_that_answers_in_part_is_no_second_request(self, sender: Sender) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.write(NO_CONTENT)
            await peer.request()
            await peer.write(b"HTTP/1.1 200 OK\r\nContent-Le")

        async with receiver(script) as seen:
            assert (await sender.send(request(seen.url()))).ok
            response = await sender.send(request(seen.url()))
            assert response.error is not None
            assert response.error.code == "reset"
            assert len(seen.requests) == 2

    async def test_nobody_listens(self, sender: Sender) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            response = await sender.send(request(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
            assert response.error is not None
            assert response.error.code == "connect"

    async def test_nobody_accepts(self, sender: Sender) -> None:
        with socket.socket() as full, ExitStack() as stack:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            response = await sender.send(request(f"http://127.0.0.1:{full.getsockname()[1]}/", timeout=0.4))
            assert response.error is not None
            assert response.error.code in ("timeout", "connect")

    async def test_a_sender_that_is_cancelled_hangs_up(self, sender: Sender) -> None:
        closed = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.reader.read()
            closed.set()

        async with receiver(script) as seen:
            task = asyncio.create_task(sender.send(request(seen.url())))
            await seen.arrived(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()

    async def test_out_of_sockets_is_not_the_receivers_fault(self, sender: Sender) -> None:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as idle:
            idle.bind(("127.0.0.1", 0))
            idle.listen()
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
            try:
                response = await sender.send(request(f"http://127.0.0.1:{idle.getsockname()[1]}/"))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert response.error is not None
            assert response.error.code == "local"

    @pytest.mark.parametrize("header", [*sorted(RESERVED), "Content-Length", "HOST", "Transfer-Encoding"])
    async def test_headers_of_the_connection_cannot_be_set(self, sender: Sender, header: str) -> None:
        async with tripwires("127.0.0.1") as [wire]:
            response = await sender.send(request(wire.url(), headers={header: "1"}))
            assert response.error is not None
            assert response.error.code == "invalid_request"

    @pytest.mark.parametrize(
        "headers", [{"x-a": "1\r\nx-b: 2"}, {"x-a": "1\nx-b: 2"}, {"x-a\r\nx-b": "1"}, {"x-a": "1\0"}]
    )
    async def test_headers_cannot_be_smuggled(self, sender: Sender, headers: dict[str, str]) -> None:
        async with receiver(answer(NO_CONTENT)) as seen:
            response = await sender.send(request(seen.url(), headers=headers))
            assert response.error is not None
            assert response.error.code == "invalid_request"
            assert not seen.requests

    async def test_a_header_given_twice_is_refused(self, sender: Sender) -> None:
        async with tripwires("127.0.0.1") as [wire]:
            response = await sender.send(request(wire.url(), headers={"webhook-id": "1", "Webhook-Id": "2"}))
            assert response.error is not None
            assert response.error.code == "invalid_request"

    @pytest.mark.parametrize("host", ["hooks.test", "127.0.0.1", "[::1]"])
    async def test_a_good_certificate(self, sender: Sender, dns: Names, host: str) -> None:
        dns.set("hooks.test", ["127.0.0.1"])
        address = "::1" if host == "[::1]" else "127.0.0.1"
        async with receiver(
            answer(NO_CONTENT), address, tls=authority().serve("hooks.test", "127.0.0.1", "::1")
        ) as seen:
            for _ in range(3):
                assert (await sender.send(request(seen.url(host)))).ok
            assert seen.connections == 1

    @pytest.mark.parametrize(
        ("name", "age", "itself"),
        [
            ("other.test", DAY, False),
            ("*.hooks.test", DAY, False),
            ("hooks.test", 40 * DAY, False),
            ("hooks.test", -DAY, False),
            ("hooks.test", DAY, True),
        ],
        ids=["wrong host", "wildcard of another level", "expired", "not yet valid", "self-signed"],
    )
    async def test_a_bad_certificate(self, sender: Sender, dns: Names, name: str, age: timedelta, itself: bool) -> None:
        dns.set("hooks.test", ["127.0.0.1"])
        async with receiver(answer(NO_CONTENT), tls=authority().serve(name, age=age, itself=itself)) as seen:
            response = await sender.send(request(seen.url("hooks.test")))
            assert response.error is not None
            assert (response.status, response.error.code) == (None, "tls")
            assert not seen.requests

    @pytest.mark.parametrize("port", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b""])
    async def test_https_to_what_does_not_speak_tls(self, sender: Sender, port: bytes) -> None:
        async def script(peer: Peer) -> None:
            await peer.reader.read(100)
            await peer.write(port)

        async with receiver(script) as seen:
            response = await sender.send(request(f"https://127.0.0.1:{seen.port}/"))
            assert response.error is not None
            assert response.error.code in ("tls", "connect", "reset")

    async def test_a_handshake_that_never_ends(self, sender: Sender) -> None:
        closed = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.reader.read()
            closed.set()

        async with receiver(script) as seen:
            response = await sender.send(request(f"https://127.0.0.1:{seen.port}/", timeout=0.4))
            assert response.error is not None
            assert response.error.code in ("timeout", "connect")
            await closed.wait()
