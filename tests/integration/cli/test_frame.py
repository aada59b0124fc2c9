"""The frame of the command line: help, settings, exit codes."""

from __future__ import annotations

import subprocess
import sys

from crosstie.command import failing
from tests.parts.command import Command
from tests.stage import Stage

HEAVY = ("sqlalchemy", "asyncpg", "httpx2", "uvicorn", "starlette", "crosstie.app", "crosstie.catalog")
HELP = f"""
import sys
from crosstie.cli import main
sys.argv = ["crosstie", "--help"]
try:
    main()
except SystemExit:
    sys.exit([name for name in {HEAVY!r} if name in sys.modules] or 0)
"""


def test_help_loads_none_of_the_product() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("up", "migrate", "tenants", "events", "listen", "backup"):
        assert f"  {name} " in done.stdout


COMMANDS = (
    "up", "api", "worker", "scheduler", "sandbox", "migrate", "doctor", "status", "backup", "restore", "listen",
    "nouns", "config show", "tenants create", "tenants suspend", "users create", "keys create", "dlq retry",
    "events list",
    "events trigger", "events replay", "deliveries recover", "webhook-endpoints create", "jobs list", "jobs approve",
)  # fmt: skip
EACH = f"""
import sys
from crosstie.cli import main
for words in {COMMANDS!r}:
    sys.argv = ["crosstie", *words.split(), "--help"]
    print("===", words)
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
"""


def test_every_command_helps_with_an_example(command: Command) -> None:
    done = subprocess.run([sys.executable, "-c", EACH], check=False, capture_output=True, text=True, env=command.env())
    assert done.returncode == 0, done.stderr
    for part in done.stdout.split("=== ")[1:]:
        words, text = part.split("\n", 1)
        assert f"  crosstie {words}" in text.split("Options:")[0], words


def test_what_is_unknown_is_a_usage_error_with_a_hint(command: Command) -> None:
    done = command("jbs", "list")
    assert (done.code, done.out) == (failing.USAGE, "")
    assert "did you mean jobs?" in done.err


def test_the_configuration_is_shown_with_origins_and_the_embedded_database(command: Command, stage: Stage) -> None:
    shown = command("config", "show", "-o", "json").one
    assert shown["port"]["value"] == stage.port
    assert (shown["port"]["origin"], shown["host"]["origin"]) == ("environment", "default")
    assert shown["database"] == {
        "embedded": True,
        "superuser_dsn": stage.cluster.superuser,
        "app_dsn": stage.cluster.app,
    }


def test_an_unsafe_setting_is_one_sentence(command: Command) -> None:
    done = command("status", CROSSTIE_PUBLIC_URL="http://hub.example.com")
    assert done.code == failing.FAILED
    assert done.err.count("\n") == 1
    assert "credentials in the clear" in done.err


def test_status_and_doctor_find_the_stage_well(command: Command) -> None:
    shown = command("status").one
    assert shown["ready"] is True
    findings = {finding["name"]: finding for finding in command("doctor").many}
    assert {name: each["detail"] for name, each in findings.items() if each["state"] == "fail"} == {}
    assert findings["master key"]["state"] == "ok"


def test_the_doctor_finds_a_key_that_others_can_read(command: Command, stage: Stage) -> None:
    (stage.home / "master.key").chmod(0o644)
    try:
        done = command("doctor")
    finally:
        (stage.home / "master.key").chmod(0o600)
    assert done.code == failing.FAILED
    assert "chmod 600" in done.out + done.err


def test_a_server_with_a_powerful_role_is_refused(command: Command, stage: Stage) -> None:
    done = command(
        "api",
        CROSSTIE_DATABASE_URL=stage.cluster.superuser,
        CROSSTIE_DATABASE_WORKER_URL=stage.cluster.worker,
        CROSSTIE_MASTER_KEY_FILE=str(stage.home / "master.key"),
        CROSSTIE_PORT="18999",
    )
    assert done.code == failing.FAILED
    assert "is superuser" in done.err


def test_the_specification_is_printed_without_a_server(command: Command) -> None:
    assert command("spec", "openapi", CROSSTIE_PORT="1").one["openapi"].startswith("3.1")
    assert command("spec", "asyncapi").one["asyncapi"].startswith("3.0")
    assert "job.created" in {event["name"] for event in command("spec", "events").many}
