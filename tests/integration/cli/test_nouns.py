"""Commands that follow from the nouns of the API, as one tenant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosstie.command import failing
from tests.parts.command import Command
from tests.stage import Tenant


def test_a_record_lives_from_create_to_delete(caller: Command, tmp_path: Path) -> None:
    made = caller("clients", "create", "--data", '{"name": "Thandi Nkosi"}').one
    assert caller("clients", "get", made["id"]).one["name"] == "Thandi Nkosi"
    (tmp_path / "change.json").write_text('{"phone": "+27 82 555 0101"}')
    assert caller("clients", "update", made["id"], "-d", f"@{tmp_path}/change.json").one["phone"] == "+27 82 555 0101"
    job = caller("jobs", "create", "--data", "-", stdin=json.dumps({"client_id": made["id"], "title": "Geyser"})).one
    assert caller("jobs", "approve", job["id"]).one["status"] == "approved"
    assert [each["id"] for each in caller("jobs", "list", "--status", "approved").many] == [job["id"]]
    assert caller("jobs", "approve", job["id"]).code == failing.CONFLICT
    caller("jobs", "delete", job["id"], "--yes")
    assert caller("jobs", "get", job["id"]).code == failing.MISSING


def test_lists_go_on_over_pages_and_stop_at_the_limit(caller: Command) -> None:
    items = [{"name": f"Client {number}"} for number in range(230)]
    assert len(caller("clients", "bulk", "--data", json.dumps({"items": items})).one["results"]) == 230
    assert len(caller("clients", "list", "--limit", "0").many) == 230
    assert len(caller("clients", "list", "--limit", "3").many) == 3
    assert len(caller("clients", "list", "-o", "json").one) == 50
    table = caller("clients", "list", "--limit", "2", "--sort", "name", "-o", "table").out.splitlines()
    assert table[0].split()[:2] == ["id", "name"]
    assert len(table) == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("clients", "create", "--data", '{"nme": "x"}'), failing.INVALID),
        (("clients", "create", "--data", "{"), failing.INVALID),
        (("clients", "create"), failing.USAGE),
        (("clients", "create", "--data", "@/nowhere.json"), failing.USAGE),
        (("clients", "get", "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e"), failing.MISSING),
        (("clients", "delete", "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e"), failing.USAGE),
        (("clients", "list", "--nosuch", "x"), failing.USAGE),
    ],
)
def test_exit_codes_tell_refusals_apart(caller: Command, words: tuple[str, ...], code: int) -> None:
    done = caller(*words)
    assert (done.code, done.out) == (code, ""), done.err


def test_a_bad_key_no_key_and_no_server(command: Command) -> None:
    assert command("jobs", "list", CROSSTIE_API_KEY="ct_live_nothing").code == failing.DENIED
    assert command("jobs", "list").code == failing.DENIED
    away = command("jobs", "list", CROSSTIE_API_KEY="ct_live_nothing", CROSSTIE_BASE_URL="http://127.0.0.1:1")
    assert away.code == failing.UNREACHABLE


def test_endpoints_are_the_short_name_and_operations_are_followed(caller: Command, tenant: Tenant) -> None:
    made = caller("endpoints", "create", "--data", '{"url": "http://127.0.0.1:9/x", "event_types": ["job.*"]}').one
    assert made["secret"].startswith("whsec_")
    since = ("--since", "2026-01-01T00:00:00Z")
    assert caller("events", "replay", "--endpoint", made["id"], *since, "--wait").one["status"] == "done"
    assert caller("deliveries", "recover", *since, "--dry-run").one == {"endpoint_id": made["id"], "deliveries": 0}
    assert caller("endpoints", "disable", made["id"]).one["status"] == "disabled"
