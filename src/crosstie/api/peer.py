"""The address of a caller: the connection's, or what trusted proxies say it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.requests import HTTPConnection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The networks whose X-Forwarded-For is believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in networks)

    def client(self, request: HTTPConnection) -> str | None:
        """The caller's address: walking from the nearest hop outwards, the first one that is no trusted proxy."""
        nearest: str | None = request.scope["client"][0] if request.scope.get("client") else None
        if not self._networks or nearest is None or not self._trusts(nearest):
            return nearest
        found = nearest
        for hop in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
            address = _address(hop)
            if address is None:
                break
            found = str(address)
            if not self._trusts(found):
                break
        return found

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(
            address in network for network in self._networks if network.version == address.version
        )


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].split("]")[0]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
