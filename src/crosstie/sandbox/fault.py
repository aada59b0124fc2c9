"""Faults on demand: what a counterpart does wrong, for which operation, how often."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["status", "delay", "drip", "reset", "garbage", "refuse"]
KINDS: tuple[Kind, ...] = ("status", "delay", "drip", "reset", "garbage", "refuse")


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What goes wrong.

    `status`: answered with this status, nothing is done. `delay`: everything `seconds` late. `drip`: the work is done,
    the answer drips for so many seconds. `reset`: the work is done, the connection is cut. `garbage`: the work is done,
    the answer is broken JSON. `refuse`: the service refuses, and tells so with an event.
    """

    service: str
    #: None: every one of the service
    operation: str | None = None
    kind: Kind = "status"
    status: int = 503
    retry_after: int | None = None
    seconds: float = 15.0
    #: 0: until it is taken away
    times: int = 1

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599 or not 0 <= self.seconds <= 300 or not 0 <= self.times <= 10_000:
            raise ValueError("status is 400 to 599, seconds 0 to 300, times 0 to 10 000")
        if self.retry_after is not None and not 0 <= self.retry_after <= 86_400:
            raise ValueError("retry_after is 0 to 86 400 seconds")

    def hits(self, service: str, operation: str) -> bool:
        """Whether a call meets it."""
        return self.service == service and self.operation in (None, operation)


class Faults:
    """The faults that are set; a call meets the first that fits."""

    def __init__(self) -> None:
        self.listed: list[Fault] = []

    def set(self, fault: Fault) -> None:
        """Set a fault in the place of what was set for the same operation."""
        self.clear(fault.service, fault.operation)
        self.listed.append(fault)

    def clear(self, service: str, operation: str | None) -> None:
        """Take away what is set for exactly this operation."""
        self.listed = [each for each in self.listed if (each.service, each.operation) != (service, operation)]

    def next(self, service: str, operation: str) -> Fault | None:
        """The fault of this call, which has happened once more with that."""
        for place, fault in enumerate(self.listed):
            if fault.hits(service, operation):
                if fault.times == 1:
                    del self.listed[place]
                elif fault.times:
                    self.listed[place] = msgspec.structs.replace(fault, times=fault.times - 1)
                return fault
        return None
