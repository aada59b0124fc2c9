"""A process and its children: started, started again when they die, ended together.

Children run in sessions of their own, so that Ctrl-C reaches the parent alone, which then ends them in order. Each
reads a pipe as its standard input; when the parent dies, however it dies, the pipe ends and so do they.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

#: seconds: waits before a dead child is started again, and the life after which the first wait counts again
FIRST, MOST, STEADY = 0.2, 10.0, 20.0
#: seconds that children have to drain when all is stopped, and when their parent died
DRAIN, ORPHAN = 30.0, 5.0
FILES = 1 << 16


@dataclass(frozen=True, slots=True)
class Child:
    """What to run: arguments of `crosstie`, and open files that it inherits."""

    name: str
    arguments: Sequence[str]
    files: Sequence[int] = ()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Supervisor:
    """Keeps children alive until it is told to stop. `tell` gets a sentence for whoever watches. Children that wait for
    their parent's word (`await_parent`) get it once `go` is set: until then they load what they need."""

    children: Sequence[Child]
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    go: asyncio.Event = field(default_factory=_set)
    running: dict[str, Process] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Run the children until `stop`, then let them drain; what does not end in time is killed."""
        keepers = [asyncio.create_task(self._keep(child)) for child in self.children]
        try:
            await stop.wait()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await self._end()

    def restart(self) -> None:
        """End the children, so that they come again and read afresh where the database is."""
        for process in self.running.values():
            _signal(process, signal.SIGTERM)

    async def _keep(self, child: Child) -> None:
        wait = FIRST
        while True:
            started = time.monotonic()
            process = self.running[child.name] = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "crosstie.cli", *child.arguments,
                stdin=asyncio.subprocess.PIPE, pass_fds=child.files, env=dict(self.environ), start_new_session=True,
            )  # fmt: skip
            word = asyncio.create_task(self._word(process))
            code = await process.wait()
            word.cancel()
            wait = FIRST if time.monotonic() - started > STEADY else min(MOST, wait * 2)
            self.tell(f"{child.name} ended with {_words(code)}; it starts again in {wait:.1f} s")
            await asyncio.sleep(wait)

    async def _word(self, process: Process) -> None:
        await self.go.wait()
        if process.stdin:
            process.stdin.write(b"\n")

    async def _end(self) -> None:
        alive = [process for process in self.running.values() if process.returncode is None]
        for process in alive:
            _signal(process, signal.SIGTERM)
        waiting = asyncio.gather(*(process.wait() for process in alive))
        try:
            await asyncio.wait_for(waiting, DRAIN)
        except TimeoutError:
            for process in alive:
                _signal(process, signal.SIGKILL)
            await asyncio.gather(*(process.wait() for process in alive))


def _signal(process: Process, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(sign)


def _words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def await_parent() -> None:
    """Return when the parent says so; end where it is gone."""
    if not os.read(0, 1):
        sys.exit(1)


def follow_parent() -> None:
    """End this process when standard input ends: its parent is gone."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def raise_limits() -> None:
    """Allow this process and its children as many open files as the system lets it, up to 65 536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def stopping() -> asyncio.Event:
    """Set at SIGTERM, SIGINT, and SIGHUP where nobody asked to ignore it (nohup)."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        loop.add_signal_handler(number, event.set)
    return event
