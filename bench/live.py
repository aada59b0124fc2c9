"""From the moment an event is sent to the moment a reader of the live stream has it, with 500 readers at once.

    .venv/bin/python bench/live.py [--quick]

Open loop: events leave at random moments, 200 a second in the mean. First a tenth of 500 readers hear each event and
the others of nothing; then all hear every event: 100 000 frames a second from one process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stand
from stand import Figure, Stand

CLIENTS, RATE = 500, 200


class Listeners:
    """The readers, seen from here."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def report(self) -> dict[str, float]:
        """What came since the last report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"report\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def listening(**plan: Any) -> Iterator[Listeners]:
    """So many readers, subscribed."""
    command = [sys.executable, str(stand.HERE / "listeners.py"), json.dumps(plan)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the readers did not subscribe")
        yield Listeners(process)
    finally:
        process.kill()
        process.wait()


async def measure(here: Stand) -> list[Figure]:
    tenant = await here.tenant()
    figures = []
    topics = {
        "a tenth of them each": [*["client.*"] * 9, "bench.*"],
        "every event each": ["*"],
    }
    with here.serving():
        for name, each in topics.items():
            with listening(
                port=here.port, keys=[tenant.key], clients=CLIENTS, topics=each, exact=10 if len(each) == 1 else 1
            ) as listeners:
                await here.load(what="event", keys=[tenant.key], seconds=1, rate=RATE)
                listeners.report()

                async def turn(listeners: Listeners = listeners) -> dict[str, float]:
                    listeners.report()
                    found = await here.load(what="event", keys=[tenant.key], seconds=stand.seconds(8), rate=RATE)
                    return found | {f"live_{key}": value for key, value in listeners.report().items()}

                (found,) = await stand.rounds(turn)
            note = (
                f"p50 {found['live_p50']:.1f}, p99 {found['live_p99']:.1f} ms; {found['live_count']:.0f} frames,"
                f" {found['serving_us'] * found['good'] / max(1, found['live_count']):.1f} µs CPU each;"
                f" elsewhere {found['elsewhere']:.1f} cores"
            )
            figures.append(
                Figure(
                    f"sent to live at {RATE}/s, {CLIENTS} readers, {name}, p95", found["live_p95"], 100, 40, "ms", note
                )
            )
    return figures


if __name__ == "__main__":
    stand.main(measure)
