"""Where the sandbox is, and with which secrets: kept in HOME, so that all stay the same between starts."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

import msgspec

from crosstie.kit import webhook

FILE = "sandbox.json"


def _key() -> str:
    return secrets.token_urlsafe(24)


def _free(wanted: int = 0) -> int:
    """The wanted port where nobody has it, else another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free()
        port: int = probe.getsockname()[1]
        return port


class Post(msgspec.Struct, frozen=True):
    """A webhook receiver and services on loopback."""

    port: int
    #: signs the webhooks that come
    secret: str
    #: callers of the services show it
    key: str = msgspec.field(default_factory=_key)
    #: where mails are taken
    mail: int = msgspec.field(default_factory=_free)

    @property
    def url(self) -> str:
        """Where webhooks are posted to."""
        return f"{self.page}hooks/demo"

    @property
    def page(self) -> str:
        """Where its page is."""
        return f"{self.services}/"

    @property
    def services(self) -> str:
        """Where the services are: the paths of their contracts follow."""
        return f"http://127.0.0.1:{self.port}"


def kept(home: Path) -> Post:
    """What is kept in `home`; made where there is none."""
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Post)
    except (OSError, msgspec.DecodeError):
        return keep(home, Post(_free(), webhook.generate()))


def listening(home: Path, port: int | None) -> tuple[Post, socket.socket]:
    """The post with its listening socket: on `port`, else where it was, else on a free port."""
    post = kept(home)
    for wanted in (port,) if port else (post.port, 0):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", wanted))
        except OSError:
            sock.close()
            if wanted in (port, 0):
                raise
            continue
        return keep(home, msgspec.structs.replace(post, port=sock.getsockname()[1], mail=_free(post.mail))), sock
    raise AssertionError("a port was given or is free")


def keep(home: Path, post: Post) -> Post:
    """Write it down, for its owner only."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = home / f"{FILE}.{os.getpid()}"
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(post))
    aside.replace(home / FILE)
    return post
