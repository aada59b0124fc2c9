"""Addresses in one form, and how many parts a text message takes."""

from __future__ import annotations

import pytest

from crosstie.modules.notifications.address import normal, segments


@pytest.mark.parametrize(
    ("channel", "word", "country", "form"),
    [
        ("email", " Thandi@Example.COM ", None, "thandi@example.com"),
        ("email", "thandi", None, None),
        ("email", "a@b.example\r\nBcc: x@y.example", None, None),
        ("email", "a@" + "b" * 260, None, None),
        ("sms", "+254 711 082 111", None, "+254711082111"),
        ("sms", "0711082111", "KE", "+254711082111"),
        ("sms", "0112345678", "KE", "+254112345678"),
        ("sms", "082 123 4567", "ZA", "+27821234567"),
        ("sms", "050 123 4567", "AE", "+971501234567"),
        ("whatsapp", "+966 50 123 4567", None, "+966501234567"),
        ("sms", "0711082111", None, None),
        ("sms", "12", "KE", None),
        ("sms", "not a number", "KE", None),
        ("push", " token ", None, "token"),
        ("push", "", None, None),
        ("webhook", "https://chat.example/hook", None, "https://chat.example/hook"),
        ("webhook", "chat.example", None, None),
        ("webhook", "file:///etc/passwd", None, None),
        ("push", "x" * 2001, None, None),
    ],
)
def test_the_form_of_an_address(channel: str, word: str, country: str | None, form: str | None) -> None:
    assert normal(channel, word, country) == form


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ا" * 70, 1),
        ("ا" * 71, 2),
        ("ا" * 134, 2),
        ("ا" * 135, 3),
        ("a" * 70 + "’", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_parts_of_a_text_message(text: str, parts: int) -> None:
    assert segments(text) == parts
