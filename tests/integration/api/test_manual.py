"""`/docs`, `/reference` and the well-known documents, as a visitor finds them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import httpx2

from crosstie.kit import clock
from tests.contract.api.test_reference import Seen
from tests.stage import Stage, calling

#: links that are not followed: they leave the installation
OUTSIDE = re.compile("https?:|mailto:")


async def walked(nobody: httpx2.AsyncClient, *starts: str) -> dict[str, httpx2.Response]:
    """Every page that links lead to, by its address."""
    found: dict[str, httpx2.Response] = {}
    waiting = [*starts]
    while waiting:
        address = waiting.pop().partition("#")[0]
        if address in found or OUTSIDE.match(address) or not address:
            continue
        found[address] = answer = await nobody.get(address)
        if answer.headers["content-type"].startswith("text/html"):
            page = Seen(answer.text)
            waiting += [*page.links, *page.loads]
            foreign = [each for each in page.loads if not each.startswith("/") or each.startswith("//")]
            assert foreign == [], address
    return found


async def test_whoever_opens_the_bare_address_is_shown_the_documentation(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        answer = await nobody.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == "/docs"


async def test_every_link_of_every_page_leads_somewhere(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        found = await walked(nobody, "/docs", "/reference", "/reference/try")
    assert {address: answer.status_code for address, answer in found.items() if answer.status_code != 200} == {}
    assert {
        "/docs/tutorials/first-webhook",
        "/reference/operations/jobs",
        "/reference/events/job.created",
    } < found.keys()
    pages = [answer for address, answer in found.items() if re.match("/(docs|reference)", address)]
    assert len(pages) > 200
    for answer in pages:
        if answer.headers["content-type"].startswith("text/html"):
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert not re.search("unsafe-|http", policy)


async def test_search(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        page = await nobody.get("/docs/search", params={"q": "dead letter"})
        assert "/docs/how-to/retries-and-dead-letters" in Seen(page.text).links
        odd = await nobody.get("/docs/search", params={"q": '"><script>alert(1)</script>'})
        assert odd.status_code == 200
        assert "<script" not in odd.text
        assert (await nobody.get("/docs/search")).status_code == 200


async def test_swagger_ui_is_our_own(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        page = await nobody.get("/reference/try")
        for address in Seen(page.text).loads:
            answer = await nobody.get(address)
            assert answer.status_code == 200, address
            assert answer.headers["x-content-type-options"] == "nosniff"
        base = re.search(r"/reference/try/[\d.]+/", page.text)
        assert base is not None
        for name in ("VERSION", "..%2f__init__.py", "index.html"):
            assert (await nobody.get(base[0] + name)).status_code == 404
        assert (await nobody.get("/reference/try/0.0.0/swagger-ui.css")).status_code == 404


async def test_security_txt_says_whom_to_tell_and_ends_within_a_year(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        answer = await nobody.get("/.well-known/security.txt")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert fields["Canonical"] == f"{stage.url}/.well-known/security.txt"
        assert timedelta(0) < datetime.fromisoformat(fields["Expires"]) - clock.now() < timedelta(days=365)
        assert (await nobody.get(fields["Contact"])).status_code == 200
        assert (await nobody.get(fields["Policy"])).status_code == 200


async def test_the_api_catalogue_leads_to_descriptions_that_are_there(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        answer = await nobody.get("/.well-known/api-catalog")
        assert answer.headers["content-type"].startswith("application/linkset+json")
        apis = answer.json()["linkset"]
        assert [api["anchor"] for api in apis] == [f"{stage.url}/api/v1", f"{stage.url}/api/v1/events"]
        for api in apis:
            for relation in api.keys() - {"anchor"}:
                for link in api[relation]:
                    found = await nobody.get(link["href"])
                    assert (found.status_code, found.headers["content-type"].split(";")[0]) == (200, link["type"])
        head = await nobody.head("/.well-known/api-catalog")
        assert head.headers["link"] == f'<{stage.url}/.well-known/api-catalog>; rel="api-catalog"'
