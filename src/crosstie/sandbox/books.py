"""What the counterparts keep: their things, the answers they gave, what came, what they have to tell.

One file, so that a counterpart that is killed has done what it has done: an effect, its answer by idempotency key and
the events that tell of it are committed together, as a good service does.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstie.kit import clock, ids, json

Document = dict[str, Any]
TABLES = """
CREATE TABLE IF NOT EXISTS things (
    number INTEGER PRIMARY KEY, service TEXT, kind TEXT, id TEXT, document BLOB, UNIQUE (service, kind, id));
CREATE TABLE IF NOT EXISTS answers (
    service TEXT, key TEXT, digest TEXT, status INTEGER, body BLOB, PRIMARY KEY (service, key));
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY, at TEXT, service TEXT, operation TEXT, key TEXT, about TEXT, fault TEXT,
    status INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY, at TEXT, service TEXT, operation TEXT, key TEXT, about TEXT, thing TEXT);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, id TEXT, type TEXT, at TEXT, data BLOB, about TEXT, due REAL, attempts INTEGER,
    state TEXT, said TEXT, request TEXT);
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, due REAL, service TEXT, name TEXT, document BLOB);
CREATE INDEX IF NOT EXISTS due ON events (due) WHERE state = 'waiting';
"""


#: the `X-Request-Id` that work is done for: what is told of it belongs to the same chain
REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Books:
    """The file. Everything happens in one thread and at once: nothing waits between a begin and its commit."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.row_factory = sqlite3.Row
        self._file.executescript(f"PRAGMA journal_mode = wal; PRAGMA synchronous = normal; {TABLES}")
        if not self.rows("SELECT 1 FROM pragma_table_info('events') WHERE name = 'request'"):
            self.run("ALTER TABLE events ADD COLUMN request TEXT")  # a file of an earlier version

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Commit what the block does, or nothing of it."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def run(self, text: str, *values: Any) -> int:
        """Run a statement; the number of the row that it made."""
        return self._file.execute(text, values).lastrowid or 0

    def rows(self, text: str, *values: Any) -> list[Document]:
        """The rows of a query."""
        return [dict(row) for row in self._file.execute(text, values)]

    def one(self, text: str, *values: Any) -> Document | None:
        """Its first row."""
        return next(iter(self.rows(text, *values)), None)

    def tell(self, event_type: str, data: Document, about: str | None) -> None:
        """Have Crosstie told of an event, at once and until it has heard."""
        self.run(
            "INSERT INTO events (id, type, at, data, about, due, attempts, state, request)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, 'waiting', ?)",
            str(ids.uuid7()), event_type, stamp(), json.dumps(data), about, time.time(), REQUEST.get(),
        )  # fmt: skip


@dataclass
class Shelf:
    """The part of one service, as its verbs see it. `about` says what the present call is for."""

    books: Books
    service: str
    about: str | None = None
    #: what somebody wants refused that is not decided at once
    refusal: tuple[str, str] | None = None

    def get(self, kind: str, id: str) -> Document | None:
        """A thing by its id."""
        found = self.books.one(
            "SELECT document FROM things WHERE service = ? AND kind = ? AND id = ?", self.service, kind, id
        )
        return json.loads(found["document"]) if found else None

    def put(self, kind: str, id: str, thing: Document) -> Document:
        """Keep a thing, or what became of it."""
        self.books.run(
            "INSERT INTO things (service, kind, id, document) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (service, kind, id) DO UPDATE SET document = excluded.document",
            self.service, kind, id, json.dumps(thing),
        )  # fmt: skip
        return thing

    def all(self, kind: str) -> list[Document]:
        """Every thing of a kind, the oldest first."""
        query = "SELECT document FROM things WHERE service = ? AND kind = ? ORDER BY number"
        return [json.loads(row["document"]) for row in self.books.rows(query, self.service, kind)]

    def find(self, kind: str, **values: Any) -> Document | None:
        """The first thing with these values."""
        wanted = values.items()
        return next((each for each in self.all(kind) if all(each.get(key) == value for key, value in wanted)), None)

    def number(self, kind: str) -> int:
        """The number of the next thing of a kind, from 1."""
        query = "SELECT count(*) AS count FROM things WHERE service = ? AND kind = ?"
        return int(self.books.rows(query, self.service, kind)[0]["count"]) + 1

    def tell(self, event: str, **data: Any) -> None:
        """Tell Crosstie of an event of this service: `invoice.created`. What is not known is left out."""
        known = {key: value for key, value in data.items() if value is not None}
        self.books.tell(f"{self.service}.{event}", known, self.about)

    def later(self, seconds: float, name: str, **document: Any) -> None:
        """Have a verb of this service run after so many seconds."""
        document |= {"about": self.about, "request": REQUEST.get()}
        self.books.run(
            "INSERT INTO jobs (due, service, name, document) VALUES (?, ?, ?, ?)",
            time.time() + seconds, self.service, name, json.dumps(document),
        )  # fmt: skip


def fresh() -> str:
    """A new id."""
    return str(ids.uuid7())


def stamp() -> str:
    """The present moment."""
    return clock.format(clock.now())
