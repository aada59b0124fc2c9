"""`crosstie secrets`: the noun over the API, and the operator's rotation beside it."""

from __future__ import annotations

import json

from tests.parts.command import Command


def test_secrets_are_kept_renewed_and_listed_without_their_values(caller: Command) -> None:
    given = json.dumps({"name": "xero/client-secret", "value": "a value that is long enough"})
    made = caller("secrets", "create", "--data", "-", stdin=given).one
    assert made["last4"] == "ough"
    fresh = json.dumps({"value": "another value, as long", "overlap_seconds": 60})
    renewed = caller("secrets", "renew", made["id"], "--data", "-", stdin=fresh).one
    assert renewed["fingerprint"] != made["fingerprint"]
    (listed,) = caller("secrets", "list").many
    assert listed["last4"] == "long"
    assert "value" not in listed
    assert caller("secrets", "rotate", "--tenant", "nobody").code == 4


def test_settings_are_changed_by_command(caller: Command) -> None:
    (settings,) = caller("settings", "list").many
    change = json.dumps({"payments": {"terms_days": 7}})
    assert caller("settings", "update", settings["id"], "--data", change).one["payments"]["terms_days"] == 7
