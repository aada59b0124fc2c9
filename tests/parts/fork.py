"""Processes of `crosstie` without the second that each takes to import it: one that has, forks.

Each command is a process of its own with its own environment, folder, input, output and exit code; what differs from
the command line is only that the product is loaded already.
"""

from __future__ import annotations

import atexit
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
from functools import cache
from importlib import import_module
from pathlib import Path

MOST = 1 << 20
MODULES = ("cli", "command.failing", "command.data", "command.events", "command.tenancy", "command.nouns")


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


def run(words: Sequence[str], env: Mapping[str, str], folder: Path, stdin: str, seconds: float) -> tuple[int, str, str]:
    """A command from its begin to its end: exit code, output and errors. Raises TimeoutError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        order = json.dumps([list(words), dict(env), str(folder)]).encode()
        with ours:
            with theirs:
                files = [file.fileno() for file in (given, out, err)]
                socket.send_fds(mother(), [order], [*files, theirs.fileno()])
            code = _ended(ours, seconds)
        for file in (out, err):
            file.seek(0)
        return code, out.read(), err.read()


def _ended(reply: socket.socket, seconds: float) -> int:
    (pid,) = struct.unpack("i", reply.recv(4))
    reply.settimeout(seconds)
    try:
        (code,) = struct.unpack("i", reply.recv(4))
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise
    return int(code)


def serve(orders: socket.socket) -> None:
    """Fork for every order, until nobody can give one any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    for name in MODULES:
        import_module(f"crosstie.{name}")
    with suppress(SystemExit), Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        import_module("crosstie.cli").app(["status", "--help"])  # loads what is loaded by the first command
    while True:
        order, files, _, _ = socket.recv_fds(orders, MOST, 4)
        if not order:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            _watch(*json.loads(order), *files)
        for file in files:
            os.close(file)


def _watch(words: list[str], env: dict[str, str], folder: str, *files: int) -> None:
    """Fork the command, say how it ended."""
    *std, reply = files
    pid = os.fork()
    if pid == 0:
        for number, file in enumerate(std):
            os.dup2(file, number)
        for file in files:
            os.close(file)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(folder)
        sys.argv = ["crosstie", *words]
        import_module("crosstie.cli").main()
        sys.exit()
    os.write(reply, struct.pack("i", pid))
    _, status = os.waitpid(pid, 0)
    os.write(reply, struct.pack("i", os.waitstatus_to_exitcode(status)))
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
