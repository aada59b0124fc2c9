"""What files are, judged by their bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import magic


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        ("é, ü\r\n".encode(), "text/plain"),
        (b"", None),
        (b"\xff\xd8", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"PK\x03\x04 no package", None),
        (b"\xef\xbb\xbf <html>", None),
        (b"text with \x00", None),
        (b"text with \x1b[0m", None),
        (b"caf\xe9", None),
    ],
)
def test_kinds(body: bytes, kind: str | None) -> None:
    assert magic.kind(io.BytesIO(body)) == kind


def test_text_may_be_cut_inside_a_character() -> None:
    assert magic.kind(io.BytesIO(("x" * (magic.HEAD - 1) + "é" * 10).encode())) == "text/plain"


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_and_left_at_their_start(body: bytes) -> None:
    file = io.BytesIO(body)
    magic.kind(file)
    assert file.tell() == 0
