"""Headers that are easily misread: Accept, entity tags, X-Forwarded-For."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from crosstie.api.accept import accepts, names
from crosstie.api.peer import Proxies

JSON = "application/json"


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("*/*", True), ("application/*", True), ("APPLICATION/JSON", True), ("application/json;q=0.001", True),
        ("application/json; q=0", False), ("*/*;q=0", False), ("text/html", False), ("text/html, */*;q=0.1", True),
        ("application/json;q=0, */*", False), ("application/*;q=0, application/json", True), ("", False),
        ("application/json;q=nonsense", True), (",,;;q", False), ("application/jsonx", False),
    ],
)  # fmt: skip
def test_accept(header: str, taken: bool) -> None:
    assert accepts(header, JSON) is taken


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"a"', True, True), ('W/"a"', False, True), ('"b", "a"', True, True), ("*", True, True), ('"b"', False, False),
        ("a", False, False), ('"a', False, False), ("", False, False), (' W/"b" , W/"a" ', False, True),
    ],
)  # fmt: skip
def test_entity_tags(header: str, strong: bool, weak: bool) -> None:
    assert names(header, '"a"', weak=False) is strong
    assert names(header, '"a"', weak=True) is weak


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("networks", "peer", "forwarded", "client"),
    [
        ((), "10.0.0.1", ("1.2.3.4",), "10.0.0.1"),
        (("10.0.0.0/8",), "9.9.9.9", ("1.2.3.4",), "9.9.9.9"),
        (("10.0.0.0/8",), "10.0.0.1", (), "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", ("1.2.3.4",), "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", ("6.6.6.6, 1.2.3.4",), "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", ("6.6.6.6", "1.2.3.4, 10.0.0.2"), "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        (("10.0.0.0/8",), "10.0.0.1", ("1.2.3.4, nonsense",), "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", ("1.2.3.4:5678",), "1.2.3.4"),
        (("::1/128",), "::1", ("[2001:db8::1]:99",), "2001:db8::1"),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", ("1.2.3.4",), "1.2.3.4"),
        (("10.0.0.0/8",), None, ("1.2.3.4",), None),
    ],
)
def test_who_is_the_caller(
    networks: tuple[str, ...], peer: str | None, forwarded: tuple[str, ...], client: str | None
) -> None:
    assert Proxies(networks).client(request(peer, *forwarded)) == client
