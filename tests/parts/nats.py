"""A NATS server of its own for a test: started, stopped, killed and wiped at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from tests.stage import free_port

#: seconds
PATIENCE = 60
PROGRAM = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/local/bin")


class NatsServer:
    """One server with JetStream in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns when it listens."""
        assert PROGRAM is not None, "nats-server is missing: make test installs it where it may"
        words = [PROGRAM, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder), *self._options]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(self.port)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self, frozen: bool) -> None:
        """Have it hold still, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def wipe(self) -> None:
        """Forget everything that it acknowledged; it must be at rest."""
        shutil.rmtree(self.folder / "jetstream", ignore_errors=True)


def await_port(port: int) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


@contextmanager
def served(*options: str) -> Iterator[NatsServer]:
    """A running server, gone afterwards."""
    folder = Path(mkdtemp(prefix="crosstie-nats-"))
    server = NatsServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
