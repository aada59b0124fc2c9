"""Which messages end consent, renew it or ask for help."""

from __future__ import annotations

from typing import Any

import pytest

from crosstie.modules.notifications.consent import about, meant


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("STOP", "stop"),
        (" stop.\n", "stop"),
        ("“Stop!”", "stop"),
        ("Unsubscribe", "stop"),
        ("OptOut", "stop"),
        ("توقف", "stop"),
        ("إيقاف", "stop"),
        ("ايقاف", "stop"),
        ("إلغاء  الاشتراك.", "stop"),
        ("تَوَقَّف", "stop"),
        ("تـوقف", "stop"),
        ("Start", "start"),
        ("ابدأ", "start"),
        ("ابدا!", "start"),
        ("HELP?", "help"),
        ("مساعدة", "help"),
        ("مساعده", "help"),
        ("Please stop by tomorrow", None),
        ("Yes", None),
        ("", None),
        ("👍", None),
        ("stop " * 40, None),
    ],
)
def test_words_are_whole_messages(text: str, asked: str | None) -> None:
    assert meant(text) == asked


@pytest.mark.parametrize(
    ("dialect", "body", "answer"),
    [
        ("twilio", {"From": "+254711000001", "Body": "Stop"}, True),
        ("twilio", {"From": "+254711000001", "Body": "Arrêt", "OptOutType": "STOP"}, True),
        ("twilio", {"From": "+254711000001", "Body": "Hello"}, False),
        ("twilio", {"MessageSid": "SM1", "MessageStatus": "delivered"}, False),
        ("api_key", {"from": "+254711000001", "text": "stop"}, True),
        ("api_key", {"from": 7, "text": "stop"}, False),
        ("hmac", {"from": "+254711000001", "text": "stop"}, False),
        ("basic", "stop", False),
    ],
)
def test_most_webhooks_are_none(dialect: str, body: Any, answer: bool) -> None:
    assert about({"dialect": dialect, "body": body}) is answer
