"""Files that go along with a call: each is named by its record, and gets an address under which the service has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from crosstie.access import link, scope
from crosstie.declare.resource import Resource
from crosstie.log.call import Wish
from crosstie.log.unit import Log

#: for how long such an address works after the call was written down: as long as it may be sent again, and some days
GOOD = timedelta(days=7)


def check(log: Log, wish: Wish) -> None:
    """Raise InsufficientScope where whoever asks may not read a file that is to go along."""
    for name in wish.operation.files:
        for item in wish.given.get(name) or ():
            for resource, _ in _named(log, item):
                scope.require(wish.actor, f"{resource.scope_name}:read")


def linked(log: Log, wish: Wish, at: datetime) -> Mapping[str, Any]:
    """What a call is given, with the addresses in it: the same for every repeat of a call that was made then."""
    found = dict(wish.given)
    for name in wish.operation.files:
        if found.get(name):
            found[name] = [_linked(log, wish, item, at + GOOD) for item in found[name]]
    return found


def _linked(log: Log, wish: Wish, item: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    found = dict(item)
    for resource, id in _named(log, item):
        token = link.make(log.cipher, link.FILES, wish.tenant_id, {"noun": resource.name, "id": id}, until)
        found["url"] = f"{log.address}/media/{token}"
    return found


def _named(log: Log, item: Mapping[str, Any]) -> Iterator[tuple[Resource, str]]:
    """The nouns with files that an item names, and the ids of their records."""
    for key, value in item.items():
        resource = log.catalogue.singulars.get(key.removesuffix("_id"))
        if key.endswith("_id") and resource is not None and resource.upload is not None:
            yield resource, value
