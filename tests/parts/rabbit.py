"""RabbitMQ for tests: the machine's own where it answers, else (or where it is to be hurt) one that a test starts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import aio_pika
import psutil

from tests.parts.nats import await_port
from tests.stage import free_port

PROGRAM = shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin")
LOCAL = "amqp://guest:guest@127.0.0.1:5672/"
#: the scripts of the package insist on users; these start the server as whoever calls
HOME = Path("/usr/lib/rabbitmq")


class RabbitServer:
    """One server with a folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._registry = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # the name server of Erlang: started here it is no daemon, and ends with the test
        self._names = subprocess.Popen(["epmd", "-port", str(self._registry)], stdin=subprocess.DEVNULL)
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\nlog.file = false\nlog.console = false\n"
        )
        (folder / "plugins").write_text("[].\n")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it; returns when it listens."""
        script = next(iter(sorted(HOME.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server"))), None)
        assert script is not None, "rabbitmq-server is missing: make test installs it where it may"
        environ = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"crosstie{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "ERL_EPMD_PORT": str(self._registry),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",  # nobody spins in wait
        }
        self._process = subprocess.Popen(
            [script], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        await_port(self.port)

    def stop(self) -> None:
        """Kill it with everything that it started, and wait."""
        if self._process is None:
            return
        parent = psutil.Process(self._process.pid)
        family = [*parent.children(recursive=True), parent]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, 60)
        self._process.wait(60)
        self._process = None

    def end(self) -> None:
        """Leave nothing behind."""
        self.stop()
        self._names.kill()
        self._names.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wipe(self) -> None:
        """Forget everything that it confirmed; it must be at rest."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)


def local() -> bool:
    """Whether a server of the machine answers."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", 5672), 1):
        return True
    return False


@contextmanager
def own() -> Iterator[RabbitServer]:
    """A server of its own, gone afterwards."""
    folder = Path(mkdtemp(prefix="crosstie-rabbit-"))
    server = RabbitServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.end()


async def swept(url: str, word: str) -> None:
    """Take away what a test made on a server that lives on."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in ("in", "dead", "tasks"):
            await channel.queue_delete(f"{word}.{name}")
        for name in ("in", "out"):
            await channel.exchange_delete(f"{word}.{name}")


@contextmanager
def some() -> Iterator[str]:
    """The address of any server: that of the machine, where it has one."""
    if local():
        yield LOCAL
        return
    with own() as server:
        yield server.url
