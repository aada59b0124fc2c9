"""A DNS server on loopback that answers what it is told (RFC 1035), each question counted."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import chain, repeat
from typing import cast

A, CNAME, AAAA = 1, 5, 28


class Names(asyncio.DatagramProtocol):
    """An unknown name does not exist."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._records: dict[str, Iterable[list[str]] | None] = {}
        self._current: dict[str, list[str]] = {}

    def set(self, name: str, *answers: list[str]) -> None:
        """Answer with these addresses or aliases, one list a time, the last one for ever; without any, be silent."""
        self._records[name] = chain(answers, repeat(answers[-1])) if answers else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.address = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        name, kind = ".".join(labels), struct.unpack_from("!H", data, at + 1)[0]
        self.asked[name] += 1
        records = self._records.get(name, ())
        if records is None:
            return
        if kind == A:  # both families are asked at once: one pair of questions is one turn
            self._current[name] = next(iter(records), [])
        answers = list(self._answers(b"\xc0\x0c", self._current.get(name, []), kind))
        code = 0x8180 if name in self._records else 0x8183
        head = data[:2] + struct.pack("!5H", code, 1, len(answers), 0, 0)
        self._transport.sendto(head + data[12 : at + 5] + b"".join(answers), source)

    def _answers(self, owner: bytes, values: list[str], kind: int) -> Iterator[bytes]:
        for value in values:
            try:
                address = ip_address(value)
            except ValueError:
                alias = b"".join(bytes([len(label)]) + label.encode() for label in value.split(".")) + b"\0"
                yield owner + struct.pack("!HHIH", CNAME, 1, 0, len(alias)) + alias
                yield from self._answers(alias, next(iter(self._records[value] or ())), kind)
            else:
                if kind == (A if address.version == 4 else AAAA):
                    yield owner + struct.pack("!HHIH", kind, 1, 0, len(address.packed)) + address.packed


@asynccontextmanager
async def names() -> AsyncIterator[Names]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
