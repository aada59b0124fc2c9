"""State machines of nouns: states, and the moves between them, each naming the event that it emits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from crosstie.declare.field import Field

#: async (unit, row, given) -> further columns to write, or None. It may refuse by raising a Problem.
Verb = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Move:
    """`POST …/{id}/<verb>`: from one of the states to another. `stamp` names a time column to set to now.

    `due` names a time column: once that is past, the move is taken without a caller.
    """

    verb: str
    sources: tuple[str, ...]
    target: str
    event: str
    doc: str
    given: tuple[Field, ...] = ()
    run: Verb | None = None
    stamp: InstrumentedAttribute[Any] | None = None
    due: InstrumentedAttribute[Any] | None = None
    #: taken by other verbs alone: it has no route
    inner: bool = False
    #: a new record may be in the target at once: its event then names no state before
    born: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """The states of a noun live in one column, which nothing but moves writes."""

    column: InstrumentedAttribute[Any]
    moves: tuple[Move, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, the first being where a record starts."""
        return tuple(self.column.info["field"].kind.values)
