"""What an app may ask a person, where the answer goes, and the page between."""

from __future__ import annotations

from html import unescape

import httpx2

from tests.integration.access.oauth.rig import VERIFIER, World, for_people, said, status
from tests.integration.access.people import Browser
from tests.stage import Stage

#: query → the error that the app hears
WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no challenge": ({"code_challenge": ""}, "invalid_request"),
    "plain challenge": ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
    "no method": ({"code_challenge_method": ""}, "invalid_request"),
    "short challenge": ({"code_challenge": "x" * 42}, "invalid_request"),
    "implicit": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "no type": ({"response_type": ""}, "unsupported_response_type"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "posted": ({"response_mode": "form_post"}, "invalid_request"),
    "elsewhere": ({"resource": "https://other.example"}, "invalid_target"),
    "a signed question": ({"request": "eyJ"}, "request_not_supported"),
    "a question elsewhere": ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
    "age": ({"max_age": "-1"}, "invalid_request"),
    "an age beyond numbers": ({"max_age": "9" * 5000}, "invalid_request"),
    "only to stay connected": ({"scope": "offline_access"}, "access_denied"),
    "none and login": ({"prompt": "none login"}, "invalid_request"),
    "not asked yet": ({"prompt": "none"}, "consent_required"),
}


async def test_what_is_wrong_is_told_to_the_app(world: World) -> None:
    for name, (query, error) in WRONG.items():
        answer = await world.browser.open("/oauth/authorize", **world.app.question(**query))
        assert answer.status_code == 303, name
        back = said(answer)
        assert (back["error"], back["state"], back["x"], "iss" in back) == (error, "a state", "1", True), name


MISDIRECTED = [
    "https://app.example/back", "https://app.example/back?x=1&y=2", "https://app.example/back/?x=1",
    "https://APP.example/back?x=1", "https://app.example/Back?x=1", "https://app.example:443/back?x=1",
    "https://app.example:8443/back?x=1", "http://app.example/back?x=1", "https://u@app.example/back?x=1",
    "https://app.example@evil.example/back?x=1", "https://app.example.evil.example/back?x=1",
    "https://app.example/%62ack?x=1", "https://app.example/back?x=1#f", "https://app.example/back?x=1%00",
    "https://app.example/back?x=%31", "https://app.example/a/../back?x=1", "https://app.example\\@evil.example/back?x=1",
    "//app.example/back?x=1", " https://app.example/back?x=1", "https://app.example/back?x=1 ", "javascript:alert(1)",
    "https://ａpp.example/back?x=1", "",
]  # fmt: skip


async def test_who_is_not_signed_in_cannot_be_let_in_unasked(world: World, stage: Stage) -> None:
    async with Browser(stage) as nobody:
        answer = await nobody.open("/oauth/authorize", **world.app.question(prompt="none"))
    assert said(answer)["error"] == "login_required"


async def test_nobody_is_sent_to_an_address_that_was_not_registered(world: World) -> None:
    for uri in MISDIRECTED:
        answer = await world.browser.open("/oauth/authorize", **world.app.question(redirect_uri=uri))
        assert (answer.status_code, "location" in answer.headers) == (400, False), uri
        assert "did not register" in answer.text, uri


async def test_nobody_is_sent_away_for_an_app_that_nobody_approved(world: World) -> None:
    asked = world.app.question()
    await world.app.move("suspend")
    answer = await world.browser.open("/oauth/authorize", **asked)
    assert (answer.status_code, "location" in answer.headers, "suspended" in answer.text) == (403, False, True)
    nobody = await world.browser.open("/oauth/authorize", **asked | {"client_id": "app_nobody"})
    assert (nobody.status_code, "location" in nobody.headers) == (400, False)
    twice = await world.browser.client.get("/oauth/authorize?client_id=a&client_id=b")
    assert twice.status_code == 400


async def test_a_port_is_free_on_the_own_machine_of_an_app_without_secret(world: World) -> None:
    uris = ["http://127.0.0.1/back", "com.example.app:/back"]
    native = await for_people(world.admin, public=True, scopes=["jobs:read"], redirect_uris=uris)
    native.uri = "http://127.0.0.1:51004/back"
    tokens = await native.tokens(world.browser, scope="jobs:read offline_access")
    assert await status(world.admin, tokens["access_token"]) == 200
    again = await native.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.status_code == 200
    for wrong in ("http://127.0.0.1:51004/other", "http://127.0.0.2:51004/back", "http://localhost:51004/back"):
        answer = await world.browser.open("/oauth/authorize", **native.question(redirect_uri=wrong))
        assert answer.status_code == 400, wrong
    secret = await native.ask(
        grant_type="refresh_token", refresh_token=again.json()["refresh_token"], client_secret="x"
    )
    assert secret.status_code == 401


async def test_the_state_comes_back_as_it_was(world: World, stage: Stage) -> None:
    state = "ذ&=#?+% é" * 120 + "x" * 900
    async with Browser(stage) as browser:
        first = await browser.open("/oauth/authorize", **world.app.question(state=state))
        signed = await browser.log_in(world.email, next=httpx2.URL(first.headers["location"]).params["next"])
        page = await browser.client.get(signed.headers["location"])
        assert page.status_code == 200
        answer = await browser.send("/oauth/authorize", {"decision": "allow"}, **world.app.question(state=state))
    assert said(answer)["state"] == state


async def test_no_is_told_and_yes_is_remembered(world: World) -> None:
    asked = world.app.question()
    denied = await world.browser.send("/oauth/authorize", {"decision": "deny"}, **asked)
    assert said(denied)["error"] == "access_denied"
    assert (await world.browser.open("/oauth/authorize", **asked)).status_code == 200
    await world.app.code(world.browser)
    assert "code" in said(await world.browser.open("/oauth/authorize", **asked))
    assert "code" in said(await world.browser.open("/oauth/authorize", **asked | {"prompt": "none"}))
    more = world.app.question(scope="openid email jobs:read jobs:write")
    assert (await world.browser.open("/oauth/authorize", **more)).status_code == 200
    assert (await world.browser.open("/oauth/authorize", **asked | {"prompt": "consent"})).status_code == 200
    again = await world.browser.open("/oauth/authorize", **asked | {"prompt": "login"})
    assert again.headers["location"].startswith("/login?next=")
    assert "login" not in httpx2.URL(again.headers["location"]).params["next"]


async def test_an_older_sign_in_is_not_enough_where_the_app_says_so(world: World) -> None:
    await world.app.code(world.browser)
    fresh = await world.browser.open("/oauth/authorize", **world.app.question(max_age="3600"))
    assert "code" in said(fresh)
    again = await world.browser.open("/oauth/authorize", **world.app.question(max_age="0"))
    assert again.headers["location"].startswith("/login?next=")
    assert "max_age" not in httpx2.URL(again.headers["location"]).params["next"]


async def test_a_decision_from_elsewhere_counts_for_nothing(world: World) -> None:
    form = world.app.question() | {"decision": "allow"}
    for fields in ({}, {"form": "0" * 64}):
        answer = await world.browser.client.post("/oauth/authorize", data=form | fields)
        assert (answer.status_code, "location" in answer.headers) == (403, False)
    asked = world.app.question() | {"decision": "allow", "form": "x"}
    answer = await world.browser.open("/oauth/authorize", **asked)
    assert answer.status_code == 200, "a decision in the address is none"
    assert 'value="x"' not in answer.text


async def test_the_page_is_closed_to_everything_else(world: World) -> None:
    name = '<img src=x onerror=alert(1)>"&'
    app = await for_people(world.admin, name=name, scopes=["jobs:read"])
    answer = await world.browser.open("/oauth/authorize", **app.question(state='"><script>'), lang="ar")
    assert name not in answer.text
    assert name in unescape(answer.text)
    assert "<script" not in answer.text
    assert 'dir="rtl"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://app.example;" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
