"""Which scopes an app may ask for, and what is left of them for a person in his roles."""

from __future__ import annotations

from collections.abc import Collection, Iterable

#: what OpenID Connect gives an app to know (Core §5.4), beside the scopes of nouns
IDENTITY = {
    "openid": "Know who you are.",
    "profile": "Read your name.",
    "email": "Read your e-mail address.",
    "offline_access": "Stay connected while you are away.",
}


def asked(scope: str | None, allowed: Collection[str], *, identity: bool) -> frozenset[str] | None:
    """The scopes of a request, narrowed to nothing that is not allowed: None where it asks for more.

    `identity`: the request may also ask who somebody is. One that asks for nothing gets what is allowed.
    """
    if not scope:
        return frozenset(allowed)
    found = frozenset(scope.split(" ")) - {""}
    beyond = found - frozenset(allowed) - (IDENTITY.keys() if identity else set())
    if not found or (beyond and ("*" not in allowed or beyond & IDENTITY.keys())):
        return None
    return found


def both(one: Iterable[str], other: Iterable[str]) -> frozenset[str]:
    """What both allow, `*` being everything."""
    first, second = frozenset(one), frozenset(other)
    if "*" in first:
        return second
    return first if "*" in second else first & second


def narrowed(granted: Iterable[str], within: Iterable[str]) -> frozenset[str]:
    """What was granted, as far as a person's roles or an app's limits go; who somebody is stays his to tell."""
    whole = frozenset(granted)
    return both(whole - IDENTITY.keys(), within) | (whole & IDENTITY.keys())


def text(scopes: Iterable[str]) -> str:
    """As tokens write them."""
    return " ".join(sorted(scopes))
