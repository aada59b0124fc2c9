"""What a file is, judged by its bytes alone: names and declared types are what somebody says."""

from __future__ import annotations

import codecs
import zipfile
from typing import IO

HEAD = 64 * 1024
OFFICE = "application/vnd.openxmlformats-officedocument."
_SIGNS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)
_PARTS = {"word/document.xml": f"{OFFICE}wordprocessingml.document", "xl/workbook.xml": f"{OFFICE}spreadsheetml.sheet"}


def kind(file: IO[bytes]) -> str | None:
    """The content type of a file, or None for one that is not known here; the file is left at its start.

    Plain text is UTF-8 without control characters, looked at in its first 64 KiB.
    """
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    for sign, name in _SIGNS:
        if head.startswith(sign):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"PK\x03\x04"):
        return _package(file)
    return "text/plain" if _text(head) else None


def _package(file: IO[bytes]) -> str | None:
    try:
        with zipfile.ZipFile(file) as package:
            names = set(package.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return None
    finally:
        file.seek(0)
    return next((name for part, name in _PARTS.items() if part in names and "[Content_Types].xml" in names), None)


def _text(head: bytes) -> bool:
    try:
        # the head may end inside a character
        found = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return False
    return (
        bool(found)
        and all(c >= " " or c in "\t\r\n\f" for c in found)
        and not found.lstrip("\ufeff \t\r\n").startswith("<")
    )
