"""What must not stand in a log is masked; what must be read there is not."""

from __future__ import annotations

import pytest

from crosstie.command.process import masked
from crosstie.kit import mask


@pytest.mark.parametrize(
    "said",
    [
        "thandi@example.com",
        "mail to <Thandi.Nkosi+jobs@mail.example.co.za>, please",
        "ct_live_0123456789ABCDEFGHIJKL1MCqeS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Authorization: Bearer abcdef0123456789",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "postgresql://crosstie:hunter22@db:5432/crosstie",
        "card 4111 1111 1111 1111 was refused",
        "5500-0000-0000-0004",
        "call +27 82 123 4567",
        "(011) 555 0123 or 0821234567",
    ],
)
def test_it_is_masked(said: str) -> None:
    shown = mask.text(said)
    assert mask.MASK in shown
    for secret in ("andi", "0123456789", "MfKQ", "hunter22", "4111", "0000-0004", "123 4567", "1234567", "c2lnbmF0"):
        assert secret not in shown or secret not in said


@pytest.mark.parametrize(
    "said",
    [
        "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e",
        "01936018-1234-7123-9234-012345678901",
        "2026-03-01T08:00:00.123456Z",
        "connection 4242424242424 timed out after 30.5 s",
        "127.0.0.1:8080",
        "10.0.0.1",
        "job.created",
        "1.2.3",
        "0.000123456789",
    ],
)
def test_it_is_left_alone(said: str) -> None:
    assert mask.text(said) == said


def test_names_tell_secrets_at_any_depth() -> None:
    document = {
        "client_secret": "a", "headers": [{"X-Api-Key": "b", "Accept": "c"}], "password": None, "token": True,
        "auth": {"type": "basic", "secret": "d"}, "tokens_used": 3, "keyboard": "e", "authorize": "f",
    }  # fmt: skip
    assert mask.secrets(document) == {
        "client_secret": "***", "headers": [{"X-Api-Key": "***", "Accept": "c"}], "password": None, "token": True,
        "auth": {"type": "basic", "secret": "***"}, "tokens_used": 3, "keyboard": "e", "authorize": "f",
    }  # fmt: skip


def test_a_log_line_is_masked_whoever_wrote_it() -> None:
    line = {
        "timestamp": "2026-03-01T08:00:00Z", "level": "warning", "event": "mail to t@example.com failed", "token": "x",
        "exception": "Traceback\nValueError: ct_live_0123456789ABCDEFGHIJKL1MCqeS", "numbers": [1, "+27821234567"],
        "at": {"phone": "+27821234567"},
    }  # fmt: skip
    assert masked(None, "warning", line) == {
        "timestamp": "2026-03-01T08:00:00Z", "level": "warning", "event": "mail to *** failed", "token": "***",
        "exception": "Traceback\nValueError: ***", "numbers": [1, "***"], "at": {"phone": "***"},
    }  # fmt: skip
