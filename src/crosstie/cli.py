"""The command line. Commands load when they are called, so that `--help` is quick; every noun of the API is one."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer._click import Command, Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

#: name → (module of `crosstie.command`, attribute, what it does)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("up", "app", "Run everything: database, API, worker, scheduler."),
    "api": ("serve", "api", "Run the API in the foreground."),
    "worker": ("serve", "worker", "Run the worker in the foreground."),
    "scheduler": ("serve", "scheduler", "Run the scheduler in the foreground."),
    "sandbox": ("sandbox", "app", "Run a webhook receiver to try things with."),
    "migrate": ("data", "migrate", "Bring the database to this version."),
    "doctor": ("data", "doctor", "Look at everything that this installation needs."),
    "status": ("status", "status", "Show the whole installation at a glance."),
    "config": ("data", "config", "Show the settings."),
    "backup": ("data", "backup", "Write database and media into one file."),
    "restore": ("data", "restore", "Load a backup into an empty database."),
    "tenants": ("tenancy", "tenants", "Operator: tenants."),
    "users": ("tenancy", "users", "Operator: users of a tenant."),
    "keys": ("tenancy", "keys", "Operator: API keys of a tenant."),
    "secrets": ("secrets", "group", "Secrets, and operator: rotation of the keys that seal them."),
    "brokers": ("brokers", "brokers", "Operator: brokers, and what waits for them."),
    "dlq": ("letters", "dlq", "Operator: dead letters."),
    "audit": ("audit", "audit", "Operator: verify the audit log."),
    "events": ("events", "app", "Read, replay and send events."),
    "listen": ("listen", "app", "Forward events to a local address as signed webhooks."),
    "endpoints": ("nouns", "group", "Webhook endpoints."),
    "deliveries": ("deliveries", "group", "Deliveries: list, retry, recover."),
    "spec": ("spec", "spec", "Print the API's own description."),
    "nouns": ("nouns", "nouns", "List the nouns of the API: each is a command, too."),
}
HIDDEN = {"serve": ("child", "app", "A child of `up`.")}


class Later(TyperCommand):
    """A command that is imported when it is run."""

    def __init__(self, name: str, module: str, attribute: str, words: str, *, hidden: bool = False) -> None:
        super().__init__(name, help=words, hidden=hidden)
        self.place = (module, attribute)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        """The context of the real command."""
        module, attribute = self.place
        found = getattr(_loaded(f"crosstie.command.{module}"), attribute)
        real = get_command(found if isinstance(found, typer.Typer) else found(self.name))
        return real.make_context(info_name, args, parent, **extra)


def _loaded(module: str) -> ModuleType:
    """A module. What it loads lives for good: the collector, which would take a fifth of a start, need not walk it."""
    gc.disable()
    found = import_module(module)
    gc.freeze()
    gc.enable()
    return found


class Commands(TyperGroup):
    """The table above; what is not in it is a noun of the API."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name in COMMANDS:
            return Later(cmd_name, *COMMANDS[cmd_name])
        if cmd_name in HIDDEN:
            return Later(cmd_name, *HIDDEN[cmd_name], hidden=True)
        return Later(cmd_name, "nouns", "group", "A noun of the API.")


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        from crosstie import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def crosstie(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One API-first hub that ties the systems of a service business together."""


def main() -> None:
    """Run the command line; errors become a sentence and an exit code."""
    try:
        app()
    except Exception as error:  # noqa: BLE001  # the last place where an error can become a sentence
        from crosstie.command import failing

        sys.exit(failing.report(error))


if __name__ == "__main__":
    main()
