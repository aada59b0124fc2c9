"""Reports: a record as a page, by the firm's own template, in both languages, with nothing in it that runs."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from crosstie.access import report as reports
from crosstie.catalog import catalogue
from crosstie.kit.locale import LANGUAGES
from tests.contract.noun.samples import World
from tests.integration.nouns.conftest import LINE, Make
from tests.parts.command import Command
from tests.stage import Stage, Tenant

NASTY = "<script>alert(1)</script>"


@pytest.fixture
async def quote(make: Make, job: dict[str, Any]) -> dict[str, Any]:
    """A quote with one line and one remark that wants to be HTML."""
    return await make("quotes", job_id=job["id"], lines=[LINE], reference="Q-7", notes=NASTY)


async def put(client: httpx2.AsyncClient, tenant: Tenant, **sections: Any) -> httpx2.Response:
    return await client.patch(f"/api/v1/settings/{tenant.id}", json=sections)


async def shown(client: httpx2.AsyncClient, path: str, **query: str) -> str:
    answer = await client.get(f"/api/v1/{path}/report", params=query, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "sandbox"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    return answer.text


async def test_a_quote_reads_in_both_languages(
    client: httpx2.AsyncClient, tenant: Tenant, quote: dict[str, Any]
) -> None:
    english = await shown(client, f"quotes/{quote['id']}")
    assert '<html lang="en" dir="ltr">' in english
    assert "ZAR689.83" in english
    assert "Thandi Nkosi" in english
    assert NASTY not in english
    assert "&lt;script&gt;" in english
    arabic = await shown(client, f"quotes/{quote['id']}", locale="ar")
    assert '<html lang="ar" dir="rtl">' in arabic
    assert "عرض سعر" in arabic
    assert "689.83\u00a0" in arabic
    await client.patch(f"/api/v1/tenants/{tenant.id}", json={"locale": "ar"})
    assert re.sub(r"\d\d:\d\d", "", await shown(client, f"quotes/{quote['id']}")) == re.sub(r"\d\d:\d\d", "", arabic)


async def test_every_noun_with_a_report_has_its_page(client: httpx2.AsyncClient) -> None:
    found = catalogue().reports
    assert found.keys() == {"quote", "job", "certificate"}
    world = World(client)
    for resource in found.values():
        made = await world.make(resource.name)
        assert made.status_code == 201, made.text
        for locale in LANGUAGES:
            page = await shown(client, f"{resource.name}/{made.json()['id']}", locale=locale)
            assert "None" not in page


def test_our_own_templates_would_be_taken_in_every_language() -> None:
    for resource in catalogue().reports.values():
        assert resource.report is not None
        assert resource.report.words.keys() == set(LANGUAGES)
        assert len({tuple(sorted(words)) for words in resource.report.words.values()}) == 1
        reports.check(resource, resource.report.body, dict.fromkeys(("legal_name", "registration_number", "vat_number",
            "street", "city", "postal_code", "country", "phone", "email", "website")))  # fmt: skip


async def test_a_template_of_ones_own(client: httpx2.AsyncClient, tenant: Tenant, quote: dict[str, Any]) -> None:
    path = f"quotes/{quote['id']}"
    own = "<h1>OURS {{ record.total }}</h1>{% for line in record.lines %}{{ line.description }}{% endfor %}"
    saved = await put(client, tenant, reports={"header": "{{ firm }} & {{ client }}", "templates": {"quote": own}})
    assert saved.status_code == 200, saved.text
    page = await shown(client, path)
    assert "<h1>OURS ZAR689.83</h1>Geyser" in page
    assert "&amp; Thandi Nkosi" in page
    await put(client, tenant, reports={"templates": {"job": "<p>{{ record.title }}</p>"}})
    assert "OURS" in await shown(client, path), "the template of another noun changes nothing"
    await client.post(f"/api/v1/settings/{tenant.id}/revert", json={"version": 1})
    assert "OURS" not in await shown(client, path)
    await put(client, tenant, reports={"templates": {"quote": own}})
    gone = await put(client, tenant, reports={"templates": {"quote": None}})
    assert gone.json()["reports"]["templates"] == {}
    assert "OURS" not in await shown(client, path)


REFUSED = {
    "{{ record.totl }}": 1,
    "a\n{% if record.status == 'never' %}\n{{ record.approver.name }}{% endif %}": 3,
    "\n{{ record": 2,
    "{{ (record.lines|first).description }}": 1,
    "{% for line in record.lines %}\n{{ line.prize }}{% endfor %}": 2,
    "{{ ''.__class__.__mro__ }}": 1,
    "{{ record['__class__'] }}": 1,
    "{{ words.__init__.__globals__ }}": 1,
    "{{ record.title.format }}": 1,
    "{{ firm|attr('__class__') }}": 1,
    "{{ firm|safe }}": 1,
    "{{ self }}": 1,
    "{{ cycler.__init__ }}": 1,
    "{{ namespace() }}": 1,
    "{{ 'a' * 999999999 }}": 1,
    "{% for a in range(999999999) %}{% endfor %}": 1,
    "{% include '/etc/passwd' %}": 1,
    "{% set x = 1 %}": 1,
}


@pytest.mark.parametrize("source", REFUSED)
async def test_what_could_not_become_a_page_is_refused_with_its_line(
    client: httpx2.AsyncClient, tenant: Tenant, source: str
) -> None:
    answer = await put(client, tenant, reports={"templates": {"quote": source}})
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/reports/templates/quote", "template")
    assert f"(line {REFUSED[source]})" in fault["message"]


@pytest.mark.parametrize(
    ("templates", "pointer", "code"),
    [
        ({"invoice": "x"}, "/reports/templates/invoice", "unknown"),
        ({"quote": 1}, "/reports/templates/quote", "type"),
        ({"quote": "x" * 60_001}, "/reports/templates/quote", "length"),
        ({"quote": "ghp_abcdefgh12345678"}, "/reports/templates", "secret"),
        ("x", "/reports/templates", "type"),
    ],
)
async def test_what_is_no_template(
    client: httpx2.AsyncClient, tenant: Tenant, templates: Any, pointer: str, code: str
) -> None:
    answer = await put(client, tenant, reports={"templates": templates})
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]


async def test_a_long_record_does_not_make_long_work(
    client: httpx2.AsyncClient, tenant: Tenant, make: Make, job: dict[str, Any]
) -> None:
    quote = await make("quotes", job_id=job["id"], lines=[LINE] * 400)
    loops = "{% for a in record.lines %}{% for b in record.lines %}{{ b.amount }}{% endfor %}{% endfor %}"
    assert (await put(client, tenant, reports={"templates": {"quote": loops}})).status_code == 200
    answer = await client.get(f"/api/v1/quotes/{quote['id']}/report")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reports/templates/quote")


async def test_who_may_read_it(client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, quote: dict[str, Any]) -> None:
    path = f"/api/v1/quotes/{quote['id']}/report"
    every = ["quotes:read", "jobs:read", "clients:read", "sites:read"]
    for missing in (None, *every):
        scopes = [each for each in every if each != missing]
        made = await client.post("/api/v1/api-keys", json={"name": "k", "scopes": scopes})
        answer = await client.get(path, headers={"authorization": f"Bearer {made.json()['key']}"})
        assert answer.status_code == (403 if missing else 200), missing
    async with (await stage.tenant()).client() as stranger:
        assert (await stranger.get(path)).status_code == 404
    for query in ({"locale": "fr"}, {"lang": "ar"}):
        assert (await client.get(path, params=query)).status_code == 400
    assert (await client.get(path, headers={"accept": "application/json"})).status_code == 406


async def test_the_command_line_prints_the_page(stage: Stage, tenant: Tenant, quote: dict[str, Any]) -> None:
    command = Command(stage.home, {"CROSSTIE_PORT": str(stage.port), "CROSSTIE_API_KEY": tenant.key})
    done = command("quotes", "report", quote["id"], "--locale", "ar")
    assert done.code == 0, done.err
    assert done.out.startswith("<!doctype html>")
