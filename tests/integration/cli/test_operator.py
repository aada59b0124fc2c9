"""Operator commands: on the database itself, without a login."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import httpx2
import pytest
from aiohttp import web

from crosstie.command import failing
from tests.fence import until
from tests.parts.command import Command
from tests.receiver import Receiver
from tests.stage import Stage, Tenant


def _slug() -> str:
    return f"t-{secrets.token_hex(5)}"


def test_a_tenant_with_a_key_is_made_and_the_key_works(command: Command, stage: Stage) -> None:
    slug = _slug()
    tenant = command("tenants", "create", "--slug", slug, "--name", "Acme Plumbing").one
    assert tenant.keys() == {"id", "slug", "name"}
    key = command("keys", "create", "--tenant", slug, "--name", "k", "--scopes", "jobs:read jobs:write").one
    assert key.keys() == {"id", "key"}
    headers = {"authorization": f"Bearer {key['key']}"}
    assert httpx2.get(f"{stage.url}/api/v1/jobs", headers=headers).status_code == 200
    assert httpx2.get(f"{stage.url}/api/v1/clients", headers=headers).status_code == 403
    assert key["key"].startswith("ct_live_")
    assert slug in {each["slug"] for each in command("tenants", "list").many}


def test_a_sandbox_tenant_gets_test_keys_by_its_id(command: Command) -> None:
    tenant = command("tenants", "create", "--slug", _slug(), "--name", "To try", "--sandbox").one
    key = command("keys", "create", "--tenant", tenant["id"], "--name", "k", "--scopes", "*").one
    assert key["key"].startswith("ct_test_")


async def test_suspended_and_resumed(command: Command, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    for verb, status in {"suspend": 403, "resume": 200}.items():
        command("tenants", verb, tenant.slug)

        async def told(status: int = status) -> bool:
            return (await client.get("/api/v1/jobs")).status_code == status

        await until(told)


async def test_a_tenant_is_found_by_the_domains_that_the_operator_gave_it(
    command: Command, tenant: Tenant, client: httpx2.AsyncClient, stage: Stage
) -> None:
    name, other = f"{_slug()}.example", await stage.tenant()
    words = ("--add", name.upper(), "--add", f"shop.{name}")
    assert [each["domain"] for each in command("tenants", "domains", tenant.slug, *words).many] == [
        f"shop.{name}",
        name,
    ]
    for host in (name, name.upper()):
        found = httpx2.get(f"{stage.url}/api/v1/tenants/by-domain/{host}")
        assert found.json() == {
            "id": str(tenant.id), "slug": tenant.slug, "name": tenant.slug.title(), "status": "active", "outlets": None,
        }  # fmt: skip
    outlet = {"name": "Nairobi", "code": "nbo"}
    assert (await client.post("/api/v1/outlets", json=outlet)).status_code == 201
    found = await client.get(f"/api/v1/tenants/by-domain/shop.{name}")
    assert [each["name"] for each in found.json()["outlets"]] == ["Nairobi"]

    assert command("tenants", "domains", other.slug, "--add", name).code == failing.CONFLICT
    for wrong in ("localhost", "a_b.example", "https://x.example", "x..example", "-x.example", "1.2.3.4"):
        assert command("tenants", "domains", other.slug, "--add", wrong).code == failing.INVALID, wrong
    assert command("tenants", "domains", other.slug, "--remove", name).code == failing.MISSING
    for path in (f"by-domain/www.{name}", "by-domain/%20", f"by-domain/{'x' * 300}.example"):
        assert httpx2.get(f"{stage.url}/api/v1/tenants/{path}").status_code == 404

    command("tenants", "suspend", tenant.slug)
    assert httpx2.get(f"{stage.url}/api/v1/tenants/by-domain/{name}").status_code == 403
    command("tenants", "domains", tenant.slug, "--remove", name)
    assert httpx2.get(f"{stage.url}/api/v1/tenants/by-domain/{name}").status_code == 404


def test_users_are_made_and_listed_without_their_hashes(command: Command, tenant: Tenant) -> None:
    made = command("users", "create", "--tenant", tenant.slug, "--email", "Thandi@acme.example", "--role", "admin").one
    assert len(made["password"]) >= 12
    (listed,) = command("users", "list", "--tenant", tenant.slug).many
    assert listed["email"] == "thandi@acme.example"
    assert "password" not in str(listed)
    words = ("--tenant", tenant.slug, "--email", "thandi@acme.example", "--forget-factor")
    link = command("users", "invite", *words).one["url"]
    assert httpx2.get(link.replace(urlsplit(link).netloc, urlsplit(tenant.url).netloc)).status_code == 200
    assert command("users", "invite", "--tenant", tenant.slug, "--email", "nobody@acme.example").code == failing.MISSING


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("keys", "create", "--tenant", "nobody", "--name", "k", "--scopes", "*"), failing.MISSING),
        (("keys", "create", "--name", "k", "--scopes", "*"), failing.USAGE),
        (("tenants", "create", "--slug", "Not A Slug", "--name", "x"), failing.INVALID),
    ],
)
def test_refusals_have_their_exit_codes(command: Command, words: tuple[str, ...], code: int) -> None:
    done = command(*words)
    assert (done.code, done.out) == (code, ""), done.err


def test_a_taken_slug_and_an_unknown_scope(command: Command, tenant: Tenant) -> None:
    assert command("tenants", "create", "--slug", tenant.slug, "--name", "x").code == failing.CONFLICT
    done = command("keys", "create", "--tenant", tenant.slug, "--name", "k", "--scopes", "jobs:reed")
    assert done.code == failing.INVALID
    assert "jobs:reed" in done.err


async def test_dead_letters_are_listed_retried_and_discarded(
    command: Command, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    receiver.answer = lambda received: web.Response(status=500)
    endpoint = {"url": f"{receiver.url}/hook", "event_types": ["client.created"], "retry_schedule": [1]}
    assert (await client.post("/api/v1/webhook-endpoints", json=endpoint)).status_code == 201
    for name in ("A", "B"):
        await client.post("/api/v1/clients", json={"name": name})
    await receiver.wait(4)
    letters = _letters(command, tenant, 2)
    group = {"tenant": tenant.slug, "status": "dead", "source": "webhook", "event_type": "client.created"}
    assert command("dlq", "groups", "--tenant", tenant.slug).many == [group | {"cause": "http_500", "count": 2}]
    assert command("dlq", "list", "--tenant", tenant.slug, "--cause", "timeout").many == []
    assert command("dlq", "retry", "--all", "--tenant", tenant.slug, "--cause", "timeout").many == []
    receiver.answer = lambda received: web.Response(status=204)
    assert command("dlq", "retry", letters[0]["id"]).one["outcome"] == "done"
    await receiver.wait(5)
    for nothing in ((), ("--reason", ""), ("--reason", " ")):
        assert command("dlq", "discard", "--all", "--tenant", tenant.slug, *nothing).code == failing.USAGE
    assert command("dlq", "discard", "--all", "--tenant", tenant.slug, "--reason", "by hand").one["outcome"] == "done"
    assert command("dlq", "list", "--tenant", tenant.slug).many == []
    assert command("dlq", "retry", letters[0]["id"]).code == failing.MISSING


def _letters(command: Command, tenant: Tenant, count: int) -> list[dict[str, str]]:
    for _ in range(100):
        found = command("dlq", "list", "--tenant", tenant.slug).many
        if len(found) == count:
            return found
    raise TimeoutError(f"{len(found)} dead letters")
