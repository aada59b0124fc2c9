"""Where a sign-in may lead."""

from __future__ import annotations

from typing import cast

import pytest
from starlette.responses import Response

from crosstie.api.sign.form import LONGEST, Cookies, beyond, local
from crosstie.log.unit import Cipher


@pytest.mark.parametrize("path", ["/", "/account", "/oauth/authorize?client_id=a&redirect_uri=https%3A%2F%2Fx.example"])
def test_paths_of_this_site(path: str) -> None:
    assert local(path, "no") == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "account",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "/a b",
        "/a\n",
        "https://evil.example",
        "/é",
        "/" * 2,
        "/" + "a" * LONGEST,
    ],
)
def test_anything_else_is_not_followed(path: str) -> None:
    assert local(path, "no") == "no"


@pytest.mark.parametrize(
    ("redirect", "source"),
    [
        ("https%3A%2F%2Fapp.example%3A8443%2Fcb%3Fx%3D1", "https://app.example:8443"),
        ("http%3A%2F%2F127.0.0.1%3A3000%2Fcb", "http://127.0.0.1:3000"),
        ("com.example.app%3A%2Fcb", "com.example.app:"),
        ("https%3A%2F%2Fa.example%3B%20script-src%20%2A", ""),
        ("https%3A%2F%2Fuser%40a.example%2F", ""),
        ("", ""),
    ],
)
def test_the_policy_names_the_app_that_a_sign_in_leads_to(redirect: str, source: str) -> None:
    assert beyond(f"/oauth/authorize?client_id=x&redirect_uri={redirect}") == source
    assert beyond(f"/account?redirect_uri={redirect}") == ""


class Keys:
    """A cipher, as far as cookies need one."""

    def derive(self, purpose: str) -> bytes:
        return purpose.encode()


@pytest.mark.parametrize(("address", "secure"), [("https://hub.example", True), ("http://127.0.0.1:8080", False)])
def test_where_there_is_tls_a_cookie_goes_over_it_alone_and_to_this_host_alone(address: str, secure: bool) -> None:
    response = Response()
    Cookies(cast(Cipher, Keys()), address).keep(response, "secret")
    name, *marks = response.headers["set-cookie"].split("; ")
    assert name == ("__Host-crosstie-session=secret" if secure else "crosstie-session=secret")
    assert ("Secure" in marks) is secure
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(marks)
    assert "domain" not in response.headers["set-cookie"].lower()
