"""Where a browser may be sent back to: registered whole, compared whole."""

from __future__ import annotations

import pytest

from crosstie.access.oauth.address import fault, matches

LOOPBACK = "http://127.0.0.1:4711/back?x=1"


@pytest.mark.parametrize("native", [True, False])
def test_the_registered_address_is_the_one(native: bool) -> None:
    for uri in ("https://app.example/back", LOOPBACK, "com.example.app:/back"):
        assert matches(uri, uri, native=native)


def test_a_port_is_free_for_native_apps_on_loopback_alone() -> None:
    assert matches(LOOPBACK, "http://127.0.0.1:1/back?x=1", native=True)
    assert matches("http://[::1]/back", "http://[::1]:50000/back", native=True)
    for registered, sent, native in (
        (LOOPBACK, "http://127.0.0.1:1/back?x=1", False),
        ("https://app.example/back", "https://app.example:8443/back", True),
        ("http://localhost:1/back", "http://localhost:2/back", True),
        (LOOPBACK, "http://127.0.0.1/back?x=1", True),
        (LOOPBACK, "https://127.0.0.1:1/back?x=1", True),
        (LOOPBACK, "http://127.0.0.1:1/back?x=2", True),
        (LOOPBACK, "http://127.0.0.1:1/Back?x=1", True),
        (LOOPBACK, "http://127.0.0.2:1/back?x=1", True),
        (LOOPBACK, "http://u@127.0.0.1:1/back?x=1", True),
        (LOOPBACK, "http://127.0.0.1:1/ba\tck?x=1", True),
        (LOOPBACK, "http://127.0.0.1:1/back?x=1\n", True),
        (LOOPBACK, "http://127.0.0.1:99999/back?x=1", True),
        (LOOPBACK, "http://127.0.0.1:1\\@evil.example/back?x=1", True),
    ):
        assert not matches(registered, sent, native=native), (registered, sent)


def test_what_cannot_be_registered() -> None:
    for wrong in (
        "", "back", "//app.example/back", "https://", "https:///back", "http://app.example/back", "javascript:alert(1)",
        "data:text/html,x", "https://app.example/#f", "https://*.example/back", "https://u:p@app.example/back",
        "https://app.example:x/back", "https://app.example/ü", "https://app.example/a b", "https://app.example\\@evil/",
        "com.example.app://host/back", "https://app.example/" + "x" * 2000,
    ):  # fmt: skip
        assert fault(wrong), wrong
    for right in ("https://app.example/back?x=1", "http://localhost/back", "http://[::1]:8/", "com.example.app:/back"):
        assert fault(right) is None, right
