"""The one guard for every URL that somebody else chose: webhook targets, base URLs of connectors, token addresses.

A URL is read once, by `Guard.check_url`, and everything after that uses the `Target` it became: what was judged is what
is called. A literal address is judged at once; a name when it is resolved, every address of it; and each address once
more when a socket is opened for it (`check_address`), so that no second answer of a DNS server slips in between.

The public internet is open, by https only. The operator's list of networks opens more, and plain http to these alone.
Python's `is_global` is not asked: it calls multicast, Azure's 168.63.129.16 and IPv4 inside IPv6 global, and it has
changed between releases. IPv6 is judged the other way round: only 2000::/3 is in use, so everything else is closed.

Registries: https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias
from urllib.parse import quote

import idna

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Scheme: TypeAlias = Literal["https", "http"]

LENGTH = 2048
"""Characters of a URL."""

_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host: Linux connects 0.0.0.0 to itself
            "100.100.100.200/32",  # metadata of Alibaba
            "168.63.129.16/32",  # metadata of Azure
            "169.254.0.0/16",  # link-local; metadata of AWS, Azure, GCP and others
            "192.0.0.192/32",  # metadata of Oracle
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
            "::/96",  # unspecified and IPv4-compatible; ::1 alone may be opened
            "::ffff:0:0/96",  # IPv4-mapped
            "::ffff:0:0:0/96",  # IPv4-translated
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",  # NAT64, local use
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
            "fd00:ec2::/32",  # metadata of AWS
            "fd20:ce::/32",  # metadata of GCP
            "fe80::/10",  # link-local
            "fec0::/10",  # site-local, given up
            "ff00::/8",  # multicast
        ),
    )
)
"""No list of an operator opens these: nobody receives there, and `0.0.0.0/0` is written in haste."""

_CLOSED = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.0.0/24",  # IETF protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "2001::/23",  # IETF protocol assignments
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # 6bone, given back
            "3fff::/20",  # documentation
        ),
    )
)
_PORTS: dict[str, int] = {"https": 443, "http": 80}
_UNICAST = IPv6Network("2000::/3")
_LOOPBACK = IPv6Address("::1")

_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?", re.DOTALL)
_UNREADABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ud800-\udfff\ufeff]")
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@%]+))(?::(?P<port>[0-9]{1,5}))?")
_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_KEPT = "%/?:@!$&'()*+,;=~[]|"
#: ends of names that the public DNS does not know (RFC 6761, RFC 6762, ICANN's .internal, and custom)
_INNER = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "test"})
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class Forbidden(ValueError):
    """A URL or an address that Crosstie does not call; the message says why."""

    code = "egress_forbidden"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, read: `host` is an ASCII name or the usual text of `address`, `path` begins with / and holds the query."""

    scheme: Scheme
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def authority(self) -> str:
        """Host and port, as the `Host` header wants them."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The one spelling of this target, which every parser reads alike."""
        return f"{self.scheme}://{self.authority}{self.path}"


class Guard:
    """What may be called, given the networks that the operator has opened beyond the public internet.

    Raises:
        ValueError: an entry of `allow` is not a network in CIDR notation.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = tuple(map(ip_network, allow))
        if _within(IPv4Address("127.0.0.1"), self._allow):
            self._allow += (IPv6Network(_LOOPBACK),)  # `localhost` is both, and the same machine

    def check_url(self, url: str) -> Target:
        """Read a URL and judge all of it that can be judged without asking a DNS server.

        Raises:
            Forbidden: it is not an absolute https URL (or http, where the operator has opened networks), carries a user
                name, spells an address in an unusual way, or leads to an address or port that is closed.
        """
        target = parse(url)
        if target.scheme == "http" and not self._allow:
            raise Forbidden("only https is called")
        if target.scheme == "http" and target.address is None and not _is_inner(target.host):
            raise Forbidden(f"{target.host} is a public name: it is called by https only")
        if target.address is not None:
            self.check_address(target.address, target.scheme, target.port)
        return target

    def check_address(self, address: Address | str, scheme: Scheme, port: int) -> None:
        """Judge the very address that a socket is about to be opened for.

        Raises:
            Forbidden: it is not public and not opened by the operator; it is public and asked in plain http, or on a
                port below 1024 that is not 443, where other protocols than HTTP listen.
        """
        if isinstance(address, str):
            address = ip_address(address)
        if address != _LOOPBACK and _within(address, _NEVER):
            raise Forbidden(f"{address} is never called")
        if _within(address, self._allow):
            return
        if (address.version == 6 and address not in _UNICAST) or _within(address, _CLOSED):
            raise Forbidden(f"{address} is not on the public internet")
        if scheme != "https":
            raise Forbidden(f"{address} is called by https only")
        if port < 1024 and port != 443:
            raise Forbidden(f"port {port} of {address} is not called")


def parse(url: str) -> Target:
    """Read an absolute http or https URL, strictly: what two parsers might read differently is refused.

    Raises:
        Forbidden: it is none, or one of those.
    """
    if len(url) > LENGTH:
        raise Forbidden(f"the URL is longer than {LENGTH} characters")
    if _UNREADABLE.search(url) or "#" in url:
        raise Forbidden("the URL holds a space, a control character, a backslash or a fragment")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise Forbidden("this is not an absolute URL")
    scheme = parts["scheme"].lower()
    if scheme not in ("http", "https"):
        raise Forbidden(f"{scheme} is not called, only https")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise Forbidden("the URL must name a host and at most a port: no user, no password, no zone")
    port = int(authority["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise Forbidden(f"there is no port {port}")
    host, address = _six(authority["six"]) if authority["six"] else _name(authority["name"])
    path = (parts["path"] or "/") + (f"?{parts['query']}" if parts["query"] else "")
    return Target("https" if scheme == "https" else "http", host, port, quote(path, safe=_KEPT), address)


def _six(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise Forbidden(f"[{text}] is not an IPv6 address") from None
    return str(address), address


def _name(text: str) -> tuple[str, Address | None]:
    if _QUAD.fullmatch(text):
        try:
            address = IPv4Address(text)
        except ValueError:
            raise Forbidden(f"{text} is not an IPv4 address") from None
        return str(address), address
    name = text.lower() if text.isascii() else _ascii(text)
    labels = name.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):  # as WHATWG's URL standard has it, such a host is meant to be an IPv4 address
        raise Forbidden(f"{text} is not an address in its usual form")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Forbidden(f"{text} is not a host name")
    return ".".join(labels), None


def _ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode()
    except UnicodeError:
        raise Forbidden(f"{text} is not a host name") from None


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _is_inner(host: str) -> bool:
    """Whether a name can only be one of the operator's own networks: they alone are called in plain http."""
    labels = host.rstrip(".").split(".")
    return len(labels) == 1 or labels[-1] in _INNER
