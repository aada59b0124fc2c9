"""Operator commands on tenants, their users and their keys; on the database, without a login."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from crosstie.access import domain
from crosstie.access import tenant as made
from crosstie.access import user as people
from crosstie.access.role import BUILT_IN
from crosstie.access.user import USERS
from crosstie.app import Process
from crosstie.command import operate, out
from crosstie.command.out import Output
from crosstie.db import session
from crosstie.log.event import OPERATOR

tenants = out.group("Tenants: the firms that this installation serves.")
users = out.group("Users of a tenant.")
keys = out.group("API keys of a tenant.")

Tenant = Annotated[str, typer.Option("--tenant", help="Slug or id of the tenant.")]


@tenants.command("create")
def create_tenant(
    slug: Annotated[str, typer.Option(help="Short name for addresses and commands.")],
    name: Annotated[str, typer.Option(help="The firm's name.")],
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="A tenant to try things in; its keys are ct_test_.")
    ] = False,
    output: Output = None,
) -> None:
    """Make a tenant.

    crosstie tenants create --slug acme --name "Acme Plumbing"

    crosstie tenants create --slug acme-test --name "Acme, to try" --sandbox -o json
    """

    async def work(process: Process) -> dict[str, Any]:
        id = await made.make(process.log.app, process.vault, slug=slug, name=name, sandbox=sandbox)
        return {"id": id, "slug": slug, "name": name}

    out.one(operate.on_database(work), output)


@tenants.command("list")
def list_tenants(output: Output = None) -> None:
    """List the tenants.

    crosstie tenants list

    crosstie tenants list -o json
    """

    async def work(process: Process) -> list[Mapping[str, Any]]:
        return [dict(row) for row in await made.listed(process.log.app)]

    out.many(operate.on_database(work), output)


@tenants.command("suspend")
def suspend(tenant: Annotated[str, typer.Argument(help="Slug or id.")], output: Output = None) -> None:
    """Suspend a tenant: its credentials get 403 and its deliveries pause within seconds.

    crosstie tenants suspend acme

    crosstie tenants suspend 01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e
    """
    _set_status(tenant, "suspended", output)


@tenants.command("resume")
def resume(tenant: Annotated[str, typer.Argument(help="Slug or id.")], output: Output = None) -> None:
    """Let a suspended tenant go on; nothing was lost.

    crosstie tenants resume acme

    crosstie tenants resume acme -o json
    """
    _set_status(tenant, "active", output)


def _set_status(name: str, status: str, output: out.Form | None) -> None:
    async def work(process: Process) -> dict[str, Any]:
        found = await made.find(process.log.app, name)
        await made.set_status(process.log.app, process.vault, found["id"], status)
        return {**dict(found), "status": status}

    out.one(operate.on_database(work), output)


@tenants.command("domains")
def list_domains(
    tenant: Annotated[str, typer.Argument(help="Slug, id or a domain.")],
    add: Annotated[list[str] | None, typer.Option("--add", help="A domain to be found by. Repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="One to be found by no more.")] = None,
    output: Output = None,
) -> None:
    """Say by which domains a tenant is found.

    crosstie tenants domains acme --add acme.example --add shop.acme.example

    crosstie tenants domains acme -o json
    """

    async def work(process: Process) -> list[Mapping[str, Any]]:
        pool, vault = process.log.app, process.vault
        found = await made.find(pool, tenant)
        for name in remove or ():
            await domain.take(pool, vault, found["id"], name)
        for name in add or ():
            await domain.give(pool, vault, found["id"], name)
        return [{"domain": name} for name in await domain.listed(pool, found["id"])]

    out.many(operate.on_database(work), output)


@users.command("create")
def create_user(
    tenant: Tenant,
    email: Annotated[str, typer.Option(help="E-mail address; it names the user.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(BUILT_IN)}, or a role of the tenant's own.")],
    name: Annotated[str | None, typer.Option(help="What they are called.")] = None,
    output: Output = None,
) -> None:
    """Make a user with a first password, which is shown this once.

    crosstie users create --tenant acme --email thandi@acme.example --role admin

    crosstie users create --tenant acme --email sipho@acme.example --role technician --name "Sipho Dlamini"
    """

    async def work(process: Process) -> dict[str, Any]:
        found = await operate.tenant(process, tenant)
        password = secrets.token_urlsafe(12)
        user = await operate.make_user(process, found["id"], email, role, name=name, password=password)
        return user | {"password": password}

    out.one(operate.on_database(work), output)


@users.command("list")
def list_users(tenant: Tenant, output: Output = None) -> None:
    """List the users of a tenant.

    crosstie users list --tenant acme

    crosstie users list --tenant acme -o json
    """

    async def work(process: Process) -> list[dict[str, Any]]:
        found = await operate.tenant(process, tenant)
        columns = ", ".join(USERS.output.fields)
        async with session.of_tenant(process.log.app, found["id"]) as connection:
            return [dict(row) for row in await connection.fetch(f"SELECT {columns} FROM users ORDER BY id")]  # noqa: S608  # names of declared fields

    out.many(operate.on_database(work), output)


@users.command("invite")
def invite(
    tenant: Tenant,
    email: Annotated[str, typer.Option(help="E-mail address of the user.")],
    forget_factor: Annotated[
        bool, typer.Option("--forget-factor", help="The phone is lost: ask for a new one.")
    ] = False,
    output: Output = None,
) -> None:
    """Make a link with which a user sets a password: for whoever can sign in no more.

    crosstie users invite --tenant acme --email thandi@acme.example

    crosstie users invite --tenant acme --email thandi@acme.example --forget-factor
    """

    async def work(process: Process) -> dict[str, Any]:
        found = await operate.tenant(process, tenant)
        async with process.log.unit(found["id"], OPERATOR) as unit:
            user = await people.of(unit, email)
            if forget_factor:
                user = await people.reset_factor(unit, user, {})
            return await people.invite(unit, user, {})

    out.one(operate.on_database(work), output)


@keys.command("create")
def create_key(
    tenant: Tenant,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scopes: Annotated[str, typer.Option(help="Scopes parted by spaces, or * for everything.")],
    output: Output = None,
) -> None:
    """Make an API key; it is shown this once.

    crosstie keys create --tenant acme --name "Web shop" --scopes 'jobs:read jobs:write'

    crosstie keys create --tenant acme --name Everything --scopes '*' -o json
    """

    async def work(process: Process) -> dict[str, Any]:
        found = await operate.tenant(process, tenant)
        return await operate.make_key(process, found["id"], name, scopes.split())

    out.one(operate.on_database(work), output)
