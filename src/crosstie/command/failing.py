"""What a failure becomes: one sentence on standard error, and an exit code that a script can tell apart."""

from __future__ import annotations

import os
import sys
import traceback

import asyncpg

from crosstie.errors import CrosstieError, Problem

#: exit codes, as the documentation lists them
FAILED, USAGE, DENIED, MISSING, CONFLICT, INVALID, LIMITED, UNREACHABLE, LATE, PARTIAL = range(1, 11)
INTERRUPTED = 130
BY_STATUS = {
    400: INVALID, 401: DENIED, 403: DENIED, 404: MISSING, 405: USAGE, 408: LATE, 409: CONFLICT, 412: CONFLICT,
    413: INVALID, 415: INVALID, 422: INVALID, 428: CONFLICT, 429: LIMITED, 504: LATE,
}  # fmt: skip


class Failure(CrosstieError):
    """A command that failed: a sentence, and the exit code that it ends with."""

    def __init__(self, sentence: str, code: int = FAILED, hint: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.hint = hint


def of_status(status: int) -> int:
    """The exit code of an HTTP status."""
    return BY_STATUS.get(status, UNREACHABLE if status >= 500 else FAILED)


def report(error: BaseException) -> int:
    """Tell what went wrong; the exit code."""
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return report(error.exceptions[0])
    if isinstance(error, Failure):
        return _say(str(error), error.code, error.hint)
    if isinstance(error, Problem):
        faults = "".join(f"\n  {fault.pointer} {fault.message}" for fault in error.errors)
        return _say(error.detail + faults, of_status(error.status))
    if isinstance(error, CrosstieError):
        return _say(str(error), FAILED)
    if isinstance(error, asyncpg.UndefinedFunctionError | asyncpg.UndefinedTableError):
        return _say("The database has no tables of this version yet.", FAILED, "run `crosstie migrate`")
    if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError | ConnectionError):
        return _say(f"The database cannot be reached: {error}.", UNREACHABLE, "`crosstie doctor` looks closer")
    if os.environ.get("CROSSTIE_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    return _say(f"{type(error).__name__}: {error}", FAILED, "CROSSTIE_LOG_LEVEL=debug shows where")


def _say(sentence: str, code: int, hint: str = "") -> int:
    sys.stderr.write(f"error: {sentence}\n" + (f"hint: {hint}\n" if hint else ""))
    return code
