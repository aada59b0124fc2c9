"""Where a browser may be sent back to (RFC 9700 §2.1, §4.1; RFC 8252 §7): registered whole, compared whole."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

#: visible ASCII without what browsers and parsers read differently
FORM = re.compile(r"[!#-;=?-\[\]_a-z~]{1,2000}")
#: a name that its owner holds, turned round: com.example.app (RFC 8252 §7.1)
PRIVATE = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def fault(uri: str) -> str | None:
    """What is wrong with a redirect URI that somebody wants to register; None where nothing is."""
    if FORM.fullmatch(uri) is None:
        return "must be an address of at most 2000 visible ASCII characters, without backslashes and quotes"
    if "#" in uri or "*" in uri:
        return "must have neither a fragment nor a wildcard"
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        return "must be an address"
    if PRIVATE.fullmatch(parts.scheme):
        return None if not parts.netloc else "must be like com.example.app:/back, without a host"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "must begin with https://, or with a scheme of the app's own like com.example.app:/"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return "must begin with https:// unless it leads to this very machine"
    return None


def matches(registered: str, sent: str, *, native: bool) -> bool:
    """Whether an address that was sent is the registered one, character by character.

    `native`: an app without a secret, that listens on the machine of its user, is given its port by the system; of a
    loopback address the port is then left out of account (RFC 8252 §7.3).
    """
    if sent == registered:
        return True
    if not native or FORM.fullmatch(sent) is None:
        return False
    try:
        one, other = urlsplit(registered), urlsplit(sent)
        return one.hostname in LOOPBACK[:2] and _portless(one) == _portless(other) and other.port is not None
    except ValueError:
        return False


def origin(uri: str) -> str:
    """What a page must allow in order to be sent there: scheme and host, or the scheme alone."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _portless(parts: SplitResult) -> tuple[str, ...]:
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    return parts.scheme, host, parts.path, parts.query
