"""Which webhooks may be receipts of messages."""

from __future__ import annotations

from typing import Any

import pytest

from crosstie.modules.notifications.receipt import about


@pytest.mark.parametrize(
    ("dialect", "body", "answer"),
    [
        ("twilio", {"MessageSid": "SM1", "MessageStatus": "delivered"}, True),
        ("twilio", {"MessageSid": "SM1", "MessageStatus": "queued"}, False),
        ("twilio", {"CallSid": "CA1", "CallStatus": "completed"}, False),
        ("basic", {"id": "ATX1", "status": "Success"}, True),
        ("stripe", {"id": "evt_1", "type": "charge.succeeded"}, False),
        ("hmac", ["a"], False),
        ("hmac", "text", False),
    ],
)
def test_most_webhooks_are_none(dialect: str, body: Any, answer: bool) -> None:
    assert about({"dialect": dialect, "body": body}) is answer
