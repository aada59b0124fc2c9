"""Operator commands on the brokers of the installation; on the database, without a login."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from crosstie.app import Process
from crosstie.command import operate, out
from crosstie.command.failing import MISSING, Failure
from crosstie.command.out import Output
from crosstie.deliver.broker.roster import Roster

brokers = out.group("Brokers that the settings of this installation's workers name.")

Name = Annotated[str, typer.Argument(help="The broker's name, as `list` shows it.")]


def _roster(process: Process) -> Roster:
    return Roster(process.log.worker, (), serves=False)


@brokers.command("list")
def list_brokers(output: Output = None) -> None:
    """List brokers, whether a worker serves each now, and how many events wait for it.

    crosstie brokers list

    crosstie brokers list -o json
    """

    async def work(process: Process) -> list[dict[str, Any]]:
        return await _roster(process).listed()

    out.many(operate.on_database(work), output, ("name", "served", "waiting", "seen_at", "tenants", "types"))


@brokers.command("forget")
def forget(name: Name) -> None:
    """Cancel what waits for a broker that is no longer in the settings; it would be cancelled after a day anyway.

    crosstie brokers forget nats://10.0.0.5:4222

    crosstie brokers forget main
    """

    async def work(process: Process) -> bool:
        return await _roster(process).forget(name)

    if not operate.on_database(work):
        raise Failure(f"There is no broker {name}.", MISSING)
