"""Instants of time: always aware, always UTC, written as RFC 3339."""

import re
from datetime import UTC, datetime

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_RFC3339 = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_CLOCK})"
)
#: asyncpg writes these two as -infinity and infinity, and reads those without an offset
_ENDS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def now() -> datetime:
    """The current instant, aware, UTC, to the microsecond."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """Read an RFC 3339 date-time and return it in UTC; digits beyond the microsecond are cut off.

    Raises ValueError for anything else: no offset, a space for `T`, a leap second, a day that does not exist, the first
    and the last moment of the calendar.
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 date-time with an offset, such as 2026-01-31T09:30:00Z")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day") from None
    if moment in _ENDS:
        raise ValueError("the calendar ends here")
    return moment


def format(moment: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with `Z`, with microseconds only if there are any.

    Raises ValueError for a naive datetime.
    """
    if moment.tzinfo is not UTC:
        if moment.utcoffset() is None:
            raise ValueError("a datetime without an offset is not an instant")
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:-6] + "Z"
