"""Processes of `crosstie` without the second that each takes to import it: one that has, forks.

Each command is a process of its own with its own environment, folder, input, output and exit code; what differs from
the command line is only that the product is loaded already.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

MOST = 1 << 20
COMMANDS = ("child", "data", "events", "failing", "nouns", "serve", "tenancy")


@cache
def mother() -> socket.socket:
    """The way to the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for side in (ours, theirs):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


@dataclass
class Forked:
    """A process that was forked, to be waited for and ended as one that was started here."""

    pid: int
    reply: socket.socket
    returncode: int | None = None

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code (that of a signal is negative), once it has ended. Raises TimeoutError."""
        if self.returncode is None:
            self.reply.settimeout(seconds)
            (self.returncode,) = struct.unpack("i", self.reply.recv(4))
            self.reply.close()
        return int(self.returncode)

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        with suppress(BlockingIOError):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def start(
    words: Sequence[str], env: Mapping[str, str], folder: Path, std: Sequence[int], given: Sequence[int] = ()
) -> Forked:
    """Begin a command: `std` are input, output and errors; the numbers of `given`, files to inherit, end its words."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    order = json.dumps([list(words), dict(env), str(folder)]).encode()
    with theirs:
        socket.send_fds(mother(), [order], [theirs.fileno(), *std, *given])
    (pid,) = struct.unpack("i", ours.recv(4))
    return Forked(pid, ours)


def run(words: Sequence[str], env: Mapping[str, str], folder: Path, stdin: str, seconds: float) -> tuple[int, str, str]:
    """A command from its begin to its end: exit code, output and errors. Raises TimeoutError."""
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        process = start(words, env, folder, [file.fileno() for file in (given, out, err)])
        try:
            code = process.wait(seconds)
        except TimeoutError:
            process.kill()
            process.wait()
            raise
        for file in (out, err):
            file.seek(0)
        return code, out.read(), err.read()


def serve(orders: socket.socket) -> None:
    """Fork for every order, until nobody can give one any more; whoever still runs then ends, too."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    for name in COMMANDS:
        import_module(f"crosstie.command.{name}")
    with suppress(SystemExit), Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        import_module("crosstie.cli").app(["status", "--help"])  # loads what is loaded by the first command
    import_module("crosstie.catalog").catalogue()
    gc.freeze()  # nobody walks, and so copies, what all have
    while True:
        order, files, _, _ = socket.recv_fds(orders, MOST, 5)
        if not order:
            os.killpg(0, signal.SIGKILL)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            _watch(*json.loads(order), *files)
        for file in files:
            os.close(file)


def _watch(words: list[str], env: dict[str, str], folder: str, reply: int, *files: int) -> None:
    """Fork the command, say how it ended."""
    std, given = files[:3], files[3:]
    pid = os.fork()
    if pid == 0:
        for number, file in enumerate(std):
            os.dup2(file, number)
        for file in (reply, *std):
            os.close(file)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(folder)
        sys.argv = ["crosstie", *words, *map(str, given)]
        import_module("crosstie.cli").main()
        sys.exit()
    for file in files:
        os.close(file)
    os.write(reply, struct.pack("i", pid))
    _, status = os.waitpid(pid, 0)
    os.write(reply, struct.pack("i", os.waitstatus_to_exitcode(status)))
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
