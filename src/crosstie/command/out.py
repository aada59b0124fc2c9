"""What a command prints: data on standard output, as a table, JSON, or lines of JSON; progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from crosstie.kit import json

#: columns of a table that nobody chose
MOST = 7
WIDE = 10_000


class Form(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


Output = Annotated[
    Form | None, typer.Option("--output", "-o", help="table, json or jsonl; a terminal gets a table, a pipe jsonl.")
]


def command() -> typer.Typer:
    """A place for one command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def group(words: str) -> typer.Typer:
    """A place for commands that belong together."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, help=words)
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    """A group with one command stays a group where it has a callback; the group's own help is used."""


def chosen(form: Form | None) -> Form:
    """The form that was asked for, or the usual one."""
    return form or (Form.TABLE if sys.stdout.isatty() else Form.JSONL)


def many(found: Iterable[Mapping[str, Any]], form: Form | None, columns: Sequence[str] = ()) -> int:
    """Print records; how many there were. `columns` are those of the table."""
    form = chosen(form)
    if form is Form.JSONL:
        return sum(_line(record) for record in found)
    records = list(found)
    if form is Form.JSON:
        _line(records)
    elif records:
        names = [name for name in columns or _columns(records) if any(name in record for record in records)]
        table = Table(*names, box=None, pad_edge=False, header_style="bold")
        for record in records:
            table.add_row(*(_cell(record.get(name)) for name in names))
        _console().print(table)
    return len(records)


def one(found: Mapping[str, Any], form: Form | None) -> None:
    """Print one record."""
    if chosen(form) is not Form.TABLE:
        _line(found)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in found.items():
        table.add_row(name, _cell(value))
    _console().print(table)


def progress(words: str) -> Progress:
    """A bar on standard error; nothing moves where that is no terminal."""
    console = Console(stderr=True)
    parts = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*parts, console=console, disable=not console.is_terminal)


def note(sentence: str) -> None:
    """Say something that is no data."""
    sys.stderr.write(sentence + "\n")


def _line(value: Any) -> int:
    sys.stdout.write(json.dumps(value).decode() + "\n")
    sys.stdout.flush()
    return 1


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).decode().strip('"')


def _columns(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first columns that hold no lists and no objects."""
    return [name for name, value in records[0].items() if not isinstance(value, list | dict)][:MOST]


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=WIDE)
