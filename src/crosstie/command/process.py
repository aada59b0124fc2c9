"""What every long-running command begins with: its settings, its log, its socket, its children's environment."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from crosstie import settings as configuration
from crosstie.command.failing import CONFLICT, Failure
from crosstie.kit import mask
from crosstie.settings import Settings
from crosstie.supervise import Child

BACKLOG = 4096


def loaded() -> Settings:
    """The settings of this process, with its log set up after them."""
    settings = configuration.load(os.environ, Path.cwd())
    logs(settings.log_level)
    return settings


def logs(level: str) -> None:
    """Set the log of this process up. Tracebacks tell of no variables: a key may be among them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            masked,
            structlog.dev.ConsoleRenderer(colors=False) if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def masked(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Log lines hold no secret, no e-mail address, no telephone or card number, whoever wrote them."""
    return {name: value if name in ("timestamp", "level") else mask.entry(name, value) for name, value in event.items()}


def bound(settings: Settings) -> socket.socket:
    """The listening socket. Raises Failure where the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Failure(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}).",
            CONFLICT,
            "set CROSSTIE_PORT to a free port",
        ) from error
    listener.listen(BACKLOG)
    return listener


def environ(settings: Settings, *, loopback: bool = False, mail: int | None = None) -> dict[str, str]:
    """The environment of children: that of this process, HOME where it is; webhooks may go to loopback for a demo.

    `mail` is the port of a mail server here, for a demo whose operator named none.
    """
    allowed = list(settings.egress_allow)
    if loopback:
        allowed += [network for network in ("127.0.0.0/8", "::1/128") if network not in allowed]
    found = {**os.environ, "CROSSTIE_HOME": str(settings.home)}
    if mail is not None and not settings.smtp_url:
        found["CROSSTIE_SMTP_URL"] = f"smtp://127.0.0.1:{mail}?security=none"
        found["CROSSTIE_MAIL_FROM"] = "crosstie@demo.example"
    return found | {"CROSSTIE_EGRESS_ALLOW": ",".join(allowed)} if allowed else found


def serving(settings: Settings, name: str, listener: socket.socket | None, *, work: bool) -> list[Child]:
    """The children that serve: as many as the settings say, on one listening socket."""
    files = () if listener is None else (listener.fileno(),)
    words = ("--work" if work else "--no-work", *(() if listener is None else ("--listener", str(listener.fileno()))))
    names = [f"{name}-{number + 1}" for number in range(settings.workers)]
    return [Child(each, ("serve", "--name", each, *words), files) for each in names]
