"""What a receiver answers: every status, every size, every speed, and what is not HTTP at all."""

import asyncio
import gzip
import random
from email.utils import formatdate
from time import time

import pytest

from crosstie.deliver.sender import KEEP, READ, Sender
from tests.contract.sender.suite import BODY, Suite, request
from tests.parts.receiver import NO_CONTENT, Peer, Script, answer, once, receiver, reply, tripwires


def stream(head: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """Answer with a head, then pieces for ever."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(head)
        while True:
            await peer.write(piece)
            await asyncio.sleep(pause)

    return script


class Answers(Suite):
    async def test_what_the_receiver_gets(self, sender: Sender) -> None:
        async with receiver(answer(NO_CONTENT)) as seen:
            response = await sender.send(request(seen.url(path="/a%2Fb?c=%20&d")))
            head, body = seen.requests[0].split(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            assert response.ok
            assert first == "POST /a%2Fb?c=%20&d HTTP/1.1"
            assert headers == {
                "host": f"127.0.0.1:{seen.port}",
                "content-type": "application/json",
                "content-length": str(len(BODY)),
                "webhook-id": "evt_1",
                "accept": "*/*",
                "accept-encoding": "identity",
            }
            assert body == BODY

    @pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "299 Whatever"])
    async def test_success(self, sender: Sender, status: str) -> None:
        async with receiver(answer(reply(status, "X-Trace: a", "x-trace: b", body=b"thanks"))) as seen:
            before = time()
            response = await sender.send(request(seen.url()))
            assert response.ok
            assert response.error is None
            assert response.status == int(status[:3])
            assert response.body == b"thanks"
            assert response.headers["x-trace"] == "a, b"
            assert before <= response.started <= time()
            assert 0 <= response.duration_ms < 5000

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 410, 429, 500, 502, 503, 504, 599])
    async def test_refusal_is_an_answer(self, sender: Sender, status: int) -> None:
        async with receiver(answer(reply(f"{status} No", body=b"why"))) as seen:
            response = await sender.send(request(seen.url()))
            assert not response.ok
            assert (response.status, response.body, response.error) == (status, b"why", None)

    @pytest.mark.parametrize(
        ("value", "low", "high"),
        [
            ("120", 120, 120),
            ("0", 0, 0),
            ("9" * 400, 999_999_999, 999_999_999),
        ],
    )
    async def test_retry_after(self, sender: Sender, value: str, low: float, high: float) -> None:
        async with receiver(answer(reply("429 Too Many Requests", f"Retry-After: {value}"))) as seen:
            response = await sender.send(request(seen.url()))
            assert response.retry_after is not None
            assert low <= response.retry_after <= high

    @pytest.mark.parametrize(("ahead", "low", "high"), [(3600, 3500, 3600), (-3600, 0, 0)])
    async def test_retry_after_a_date(self, sender: Sender, ahead: int, low: float, high: float) -> None:
        await self.test_retry_after(sender, formatdate(time() + ahead, usegmt=True), low, high)

    @pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "٣", "Thu, 99 Foo 9999 99:99:99 GMT"])
    async def test_retry_after_that_nobody_can_read(self, sender: Sender, value: str) -> None:
        async with receiver(answer(reply("503 Busy", f"Retry-After: {value}"))) as seen:
            response = await sender.send(request(seen.url()))
            assert (response.status, response.retry_after) == (503, None)

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
    async def test_redirects_are_not_followed(self, sender: Sender, status: int) -> None:
        async with tripwires("127.0.0.1") as [wire]:
            location = f"Location: {wire.url()}"
            async with receiver(
                answer(f"HTTP/1.1 {status} Go\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode())
            ) as seen:
                response = await sender.send(request(seen.url()))
                assert not response.ok
                assert (response.status, response.error) == (status, None)
                assert response.headers["location"] == wire.url()

    async def test_silence_is_a_timeout(self, sender: Sender) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await asyncio.sleep(60)

        async with receiver(script) as seen:
            response = await sender.send(request(seen.url(), timeout=0.3))
            assert response.error is not None
            assert (response.status, response.error.code) == (None, "timeout")
            assert response.duration_ms >= 290

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFF\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ],
    )
    async def test_a_body_that_drips_is_cut(self, sender: Sender, head: bytes) -> None:
        async with receiver(stream(head, b"x", 0.05)) as seen:
            response = await sender.send(request(seen.url(), timeout=2.0))
            assert response.error is not None
            assert (response.status, response.error.code, response.ok) == (200, "timeout", False)
            assert response.body.startswith(b"xx")

    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
    async def test_a_head_that_drips_is_cut(self, sender: Sender, head: bytes) -> None:
        async with receiver(stream(head, b"H", 0.05)) as seen:
            response = await sender.send(request(seen.url(), timeout=0.4))
            assert response.error is not None
            assert response.status is None

    async def test_early_hints_without_end_are_cut(self, sender: Sender) -> None:
        async with receiver(stream(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0.01)) as seen:
            response = await sender.send(request(seen.url(), timeout=0.4))
            assert not response.ok
            assert response.error is not None

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
        ],
    )
    async def test_a_huge_body_is_left_unread(self, sender: Sender, head: bytes) -> None:
        async with receiver(stream(head, b"x" * 65536)) as seen:
            response = await sender.send(request(seen.url()))
            assert response.ok
            assert response.body == b"x" * KEEP
            await sender.send(request(seen.url()))
            assert seen.connections == 2

    async def test_a_body_of_the_size_that_is_read_keeps_the_connection(self, sender: Sender) -> None:
        async with receiver(answer(reply("200 OK", body=b"x" * (READ - 1)))) as seen:
            for _ in range(3):
                response = await sender.send(request(seen.url()))
                assert response.ok
                assert len(response.body) == KEEP
            assert seen.connections == 1

    async def test_a_body_beyond_that_costs_the_connection(self, sender: Sender) -> None:
        async with receiver(answer(reply("200 OK", body=b"x" * (3 * READ)))) as seen:
            for _ in range(2):
                assert (await sender.send(request(seen.url()))).ok
            assert seen.connections == 2

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
    async def test_a_bomb_stays_packed(self, sender: Sender, encoding: str) -> None:
        bomb = gzip.compress(bytes(20_000_000))
        async with receiver(answer(reply("200 OK", f"Content-Encoding: {encoding}", body=bomb))) as seen:
            response = await sender.send(request(seen.url()))
            assert response.ok
            assert response.body == bomb[:KEEP]

    @pytest.mark.parametrize("end", [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
    async def test_http_1_0(self, sender: Sender, end: bytes) -> None:
        async with receiver(once(b"HTTP/1.0 200 OK\r\n" + end + b"\r\nthanks")) as seen:
            response = await sender.send(request(seen.url()))
            assert (response.status, response.body, response.ok) == (200, b"thanks", True)

    @pytest.mark.parametrize(
        "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
    )
    async def test_interim_answers_are_passed_over(self, sender: Sender, interim: bytes) -> None:
        async with receiver(answer(interim + NO_CONTENT)) as seen:
            response = await sender.send(request(seen.url()))
            assert (response.status, response.headers) == (204, {})

    async def test_another_protocol_is_no_success(self, sender: Sender) -> None:
        switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        async with receiver(answer(switch)) as seen:
            response = await sender.send(request(seen.url(), timeout=2.0))
            assert (response.status, response.ok) == (101, False)

    @pytest.mark.parametrize(
        "garbage",
        [
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            b"220 mail.example ESMTP\r\n",
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            bytes(range(256)) * 8,
            b"<html>200 OK</html>",
        ],
    )
    async def test_what_is_not_http(self, sender: Sender, garbage: bytes) -> None:
        async with receiver(once(garbage)) as seen:
            response = await sender.send(request(seen.url()))
            assert not response.ok
            assert response.error is not None
            assert response.error.code == "protocol"
            assert response.error.message

    @pytest.mark.parametrize(
        "chunks", [b"zz\r\nbad\r\n", b"5\r\nhello!!\r\n0\r\n\r\n", b"-5\r\nhello\r\n", b"\r\n\r\n"]
    )
    async def test_chunks_that_are_none(self, sender: Sender, chunks: bytes) -> None:
        async with receiver(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as seen:
            response = await sender.send(request(seen.url()))
            assert not response.ok
            assert response.error is not None
            assert response.error.code == "protocol"

    @pytest.mark.parametrize(
        "head",
        [
            b"".join(b"X-%d: a\r\n" % number for number in range(20_000)),
            b"X-Long: " + b"a" * 1_000_000 + b"\r\n",
            b"X" * 1_000_000 + b": a\r\n",
        ],
    )
    async def test_a_flood_of_headers(self, sender: Sender, head: bytes) -> None:
        async with receiver(once(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")) as seen:
            response = await sender.send(request(seen.url()))
            assert response.error is not None
            assert response.error.code in ("too_large", "protocol")

    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            (b"3\r\nabc\r\n0\r\n", b"X-Trailer: " + b"a" * 1000 + b"\r\n"),
            (b"3;", b"extension" * 1000),
            (b"", b"1\r\na\r\n" * 1000),
            (b"", b"1;" + b"a" * 500 + b"\r\na\r\n"),
        ],
        ids=["trailers", "one extension", "tiny chunks", "extensions"],
    )
    async def test_chunks_without_end(self, sender: Sender, head: bytes, piece: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + head
        async with receiver(stream(head, piece)) as seen:
            response = await sender.send(request(seen.url()))
            assert response.status == 200
            assert response.error is None or response.error.code in ("too_large", "protocol")
            assert len(response.body) <= KEEP

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok and more",
        ],
        ids=["LF alone", "folded", "space after size", "no reason", "no space", "more than it said"],
    )
    async def test_forgivable_answers(self, sender: Sender, data: bytes) -> None:
        async with receiver(once(data)) as seen:
            response = await sender.send(request(seen.url()))
            assert (response.status, response.body, response.ok) == (200, b"ok", True)

    async def test_a_body_where_none_belongs(self, sender: Sender) -> None:
        async with receiver(answer(NO_CONTENT + b"<html>done</html>")) as seen:
            for _ in range(3):
                assert (await sender.send(request(seen.url()))).status == 204

    async def test_headers_are_kept_within_bounds(self, sender: Sender) -> None:
        head = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 4000) for number in range(60))
        async with receiver(once(b"HTTP/1.1 204 OK\r\n" + head + b"\r\n")) as seen:
            response = await sender.send(request(seen.url()))
            assert sum(len(name) + len(value) for name, value in response.headers.items()) <= KEEP

    @pytest.mark.parametrize(
        "value", [b"caf\xe9", "café 🚚".encode(), b"\xff\xfe", b"a\tb", b"a\x01b", b"a\0b", b"a\rb"]
    )
    async def test_header_bytes_become_text(self, sender: Sender, value: bytes) -> None:
        async with receiver(once(b"HTTP/1.1 204 OK\r\nX-Odd: " + value + b"\r\n\r\n")) as seen:
            response = await sender.send(request(seen.url()))
            assert "\0" not in "".join(response.headers.values()).encode().decode()
            assert response.ok or (response.error is not None and response.error.code == "protocol")

    async def test_cookies_are_not_kept(self, sender: Sender) -> None:
        async with receiver(answer(reply("200 OK", "Set-Cookie: session=1; Path=/"))) as seen:
            await sender.send(request(seen.url()))
            await sender.send(request(seen.url()))
            assert not any(b"ookie" in one for one in seen.requests)

    async def test_nothing_a_receiver_writes_raises(self, sender: Sender) -> None:
        dice = random.Random(7)
        seeds = [reply("200 OK", "Transfer-Encoding: chunked"), reply("404 No", body=b"x" * 99), NO_CONTENT]
        seeds.append(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n")
        for _ in range(150):
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.randint(1, 6)):
                at = dice.randrange(len(data))
                data[at : at + dice.randint(0, 3)] = dice.choice([b"", b"\r\n", b"\0", b":", b"\xff", b" ", b"0"])
            async with receiver(once(bytes(data))) as seen:
                response = await sender.send(request(seen.url(), timeout=0.3))
                assert response.status is not None or response.error is not None, data
