"""What a broken constraint of the database says to a caller. Values never appear: they may be another's."""

from __future__ import annotations

import asyncpg

from crosstie.errors import Conflict, CrosstieError, Fault, Invalid, Problem, StillReferenced, Unavailable


class Twin(CrosstieError):
    """A request with the same key committed at this very moment."""


def of(error: asyncpg.IntegrityConstraintViolationError) -> Problem | Twin:
    """The problem that a violation stands for."""
    name = error.constraint_name or ""
    if name == "pk_idempotency":
        return Twin()
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        if (error.message or "").startswith("update or delete"):
            return StillReferenced(f"Records of {error.table_name} still refer to this one: delete or move them first.")
        column = name.removeprefix(f"fk_{error.table_name}_")
        return Invalid(
            "A reference leads nowhere.", errors=[Fault(f"/{column}", "reference", "there is no such record")]
        )
    if isinstance(error, asyncpg.UniqueViolationError):
        columns = name.removeprefix(f"uq_{error.table_name}_").replace("_", " ")
        return Conflict(f"A record with the same {columns} exists.")
    if not name and "partition constraint" in str(error):
        return Unavailable("The log is making room right now; try again.", headers={"Retry-After": "1"})
    return Invalid("A value breaks a rule of the record.")
