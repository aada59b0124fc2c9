"""The way to services, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crosstie.kit.http import Client
from crosstie.log import call as calls
from crosstie.log.call import Asked
from crosstie.log.route import Routes
from crosstie.log.unit import Log
from crosstie.services.answers import Answers
from crosstie.services.breaker import Breaker, Rule
from crosstie.services.caller import Caller
from crosstie.services.gateway import Gateway
from crosstie.services.peer import Peers
from crosstie.services.remote import Pace, Remote
from crosstie.services.sink import Calls

#: seconds beyond one request that a probe's right lasts
PROBING = 5.0


class Terms(Protocol):
    """What calls of services ask of the settings."""

    @property
    def service_timeout(self) -> float: ...

    @property
    def service_retries(self) -> int: ...

    @property
    def service_first_wait(self) -> float: ...

    @property
    def service_longest_wait(self) -> float: ...

    @property
    def service_failures(self) -> int: ...

    @property
    def service_rest(self) -> float: ...


def build(log: Log, client: Client, routes: Routes, terms: Terms, observe: Callable[[Asked], None]) -> Gateway:
    """The gateway of a process, with the sinks for those who do not wait; `observe` is told of every request."""
    peers = Peers(log)
    pace = Pace(terms.service_timeout, terms.service_first_wait, terms.service_longest_wait, terms.service_retries)
    remote = Remote(client, pace)
    remote.observe = observe
    rule = Rule(terms.service_failures, terms.service_rest, terms.service_timeout + PROBING)
    caller = Caller(remote, Breaker(log, peers, rule))
    answers = Answers(log.app, log.worker, log.catalogue)
    gateway = Gateway(log, peers, caller, answers)
    routes.add(answers)
    routes.add(Calls(log, peers, caller))
    log.request, log.ask = calls.request, gateway.ask
    return gateway
