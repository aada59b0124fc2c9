"""Scopes: `<noun>:read`, `<noun>:write`, and `*` for everything of the tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosstie.declare.resource import Resource
from crosstie.errors import Fault, InsufficientScope, Invalid
from crosstie.log.event import DIRECTORY, Actor

#: scopes that reach beyond a tenant: no `*` holds them, and the operator alone gives them
RESERVED = {DIRECTORY: "Tell of the tenants and people of an outside auth service, for every tenant."}


def require(actor: Actor, scope: str) -> None:
    """Raise InsufficientScope unless the actor has the scope."""
    if scope not in actor.scopes and "*" not in actor.scopes:
        raise InsufficientScope(f"This needs the scope {scope}.")


def sees(actor: Actor, noun: Resource | None) -> bool:
    """Whether the actor may be told of records of a noun of the first tier; of everything else (None) he may."""
    return noun is None or "*" in actor.scopes or f"{noun.scope_name}:read" in actor.scopes


def known(scopes: Iterable[str], catalogue: Mapping[str, str], pointer: str = "/scopes") -> None:
    """Raise Invalid where a scope does not exist."""
    wrong = [s for s in scopes if s != "*" and s not in catalogue]
    if wrong:
        raise Invalid("A scope does not exist.", errors=[Fault(pointer, "scope", f"there is no scope {wrong[0]}")])


def grantable(actor: Actor, catalogue: Mapping[str, str]) -> Mapping[str, str]:
    """The scopes that a key may have where this actor makes it."""
    return {**catalogue, **RESERVED} if actor.type == "operator" else catalogue


def within(actor: Actor, scopes: Iterable[str]) -> None:
    """Raise InsufficientScope where scopes are given away that the giver does not have."""
    missing = [s for s in scopes if s not in actor.scopes and "*" not in actor.scopes]
    if missing:
        raise InsufficientScope(f"You can give only scopes that you have; {missing[0]} is not among them.")
