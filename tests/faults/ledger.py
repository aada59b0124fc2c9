"""A ledger: lines of JSON that are on the disk before whoever wrote them goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class Ledger:
    """Appends; what waits while the disk is busy goes along with the next flush."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def note(self, *entries: dict[str, Any]) -> None:
        """Return when the entries are on the disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries), written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())
        await written

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            os.write(self._file, b"".join(lines for lines, _ in batch))
            await asyncio.to_thread(os.fdatasync, self._file)
            for _, written in batch:
                written.set_result(None)


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """What stands in a ledger; a last line that was cut off does not count."""
    if path.exists():
        for line in path.read_bytes().split(b"\n")[:-1]:
            yield msgspec.json.decode(line)
