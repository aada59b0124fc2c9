"""`crosstie secrets`: what follows from the noun, and the operator's rotation of the keys that seal everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from crosstie.access import tenant as tenants
from crosstie.access.master import NIL
from crosstie.access.rotation import Rotation
from crosstie.app import Process
from crosstie.command import nouns, operate, out
from crosstie.command.failing import PARTIAL, Failure
from crosstie.command.out import Output


def group(name: str) -> typer.Typer:
    """The commands of the noun, and `rotate`; the noun's own verb of that name is `renew`."""
    app = nouns.group(name)
    for command in app.registered_commands:
        if command.name == "rotate":
            command.name = "renew"
    app.command("rotate")(rotate)
    return app


def rotate(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Slug or id; else every tenant.")] = None,
    master: Annotated[bool, typer.Option("--master", help="The master key, which wraps the tenants' keys.")] = False,
    output: Output = None,
) -> None:
    """Operator: make new keys and seal every stored secret anew under them, while servers go on working.

    What was cut off is ended by running this again.

    crosstie secrets rotate

    crosstie secrets rotate --master
    """
    if master:
        found, advice = operate.on_database(_master)
        out.note(advice)
        out.one(found, output)
        return

    async def work(process: Process) -> dict[str, Any]:
        chosen = [row["id"] for row in await tenants.listed(process.log.app)]
        if tenant is not None:
            chosen = [(await tenants.find(process.log.app, tenant))["id"]]
        else:
            chosen.append(NIL)
        rotation = Rotation(process.log, process.vault)
        await rotation.wrap_all()
        return asdict(await rotation.rotate(chosen))

    done = operate.on_database(work)
    out.one(done, output)
    if done["broken"] or done["left"]:
        raise Failure(
            "Some values are still under older keys.", PARTIAL, "run it again; what does not open was changed"
        )


async def _master(process: Process) -> tuple[dict[str, Any], str]:
    rotation = Rotation(process.log, process.vault)
    await rotation.renew_master()
    count = await rotation.wrap_all()
    advice = await process.vault.masters.retire(process.log.app)
    return {"master_key": str(process.vault.master), "keys": count}, advice
