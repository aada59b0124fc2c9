"""Uploads: bytes that come with a record, as multipart/form-data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Upload:
    """`POST /api/v1/<noun>` with a part `file`; the other parts are the fields of a creation.

    The noun's row keeps what the engine finds out: `sha256`, `size`, `content_type`, `filename`, and in `blob`, which
    callers never see, where the file lies. A noun that deletes rows says with `log.loose` that their files are loose.
    """

    #: content types that are taken, judged by the bytes
    types: frozenset[str]
    #: (file, content type) → further columns; runs in a thread, may refuse by raising a Problem
    examine: Callable[[IO[bytes], str], dict[str, Any]] | None = None
    #: `POST …/{id}/versions` with a part `file`: async (unit, row, columns) → the row with its new bytes
    replace: Callable[..., Awaitable[Any]] | None = None
    #: the event that a replacement appends
    replaced: str | None = None
