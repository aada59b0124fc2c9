"""In whom a connection trusts."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path


@cache
def trusted(*protocols: str, ca: Path | None = None) -> ssl.SSLContext:
    """The trust of the system, or in an authority, for connections that speak these protocols.

    It is read once and shared: to read it takes as long as many requests.
    """
    found = ssl.create_default_context(cafile=ca)
    if protocols:
        found.set_alpn_protocols(protocols)
    return found
