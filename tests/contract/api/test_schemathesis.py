"""The served OpenAPI against the running API: no 5xx, no undocumented answer, no answer that breaks its schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import sample

import httpx2
import pytest

from tests.stage import Stage, Tenant

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance",
    "use_after_free", "ignored_auth",
)  # fmt: skip
#: operations of a short run, and how many requests are made up for each: a limit of time would be used up
FEW, SHORT = 8, 30
#: seconds: whoever asks for a remote service that does not answer may wait for four calls
PATIENCE = 60


def fuzz(url: str, key: str, folder: Path, *options: str) -> str:
    """What the run printed. Fails the test where it found something."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json" if url else "openapi.json",
        "--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS), "--continue-on-failure",
        "--no-color", "--warnings", "missing_auth", "--request-timeout", str(PATIENCE), *options,
    ]  # fmt: skip
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-15_000:] + run.stderr[-3_000:]
    return run.stdout


#: with these a run could take away its own credential; they get one of their own
DEADLY = ("api-keys.revoke", "api-keys.roll", "api-keys.update", "api-keys.delete")
#: its answer has no end
ENDLESS = "events.stream"


@pytest.mark.timeout(300)
async def test_a_part_of_the_api_keeps_its_word(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    """A different part every time; the run's seed is printed where it fails."""
    paths = httpx2.get(f"{stage.url}/openapi.json").json()["paths"]
    ids = sorted({operation["operationId"] for methods in paths.values() for operation in methods.values()})
    chosen = only(sample([id for id in ids if id not in (*DEADLY, ENDLESS)], FEW))
    limits = ("--max-examples", str(SHORT), "--phases", "examples,coverage,fuzzing")
    printed = fuzz(stage.url, tenant.key, tmp_path, *chosen, *limits)
    assert re.search(rf"Tested: {FEW}\n", printed), printed[-2000:]


@pytest.mark.proof
@pytest.mark.timeout(1800)
async def test_the_whole_api_keeps_its_word(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    phases = ("--phases", "examples,coverage,fuzzing,stateful")
    without = [option for id in (*DEADLY, ENDLESS) for option in ("--exclude-operation-id", id)]
    printed = fuzz(stage.url, tenant.key, tmp_path, *without, *phases, "--max-time", "900")
    assert len(set(re.findall(r"(?:Selected|Tested): (\d+)", printed))) == 1, printed[-2000:]
    locked = re.search(r"Authentication failed: (\d+) operation", printed)
    assert locked is None or int(locked[1]) < 10, "the run lost its credential"
    sys.stdout.write(printed[-800:])
    fuzz(stage.url, (await stage.tenant()).key, tmp_path, *only(DEADLY), *phases, "--max-time", "60")


async def firms(stage: Stage, folder: Path) -> tuple[str, str]:
    """The options by which a run is two firms at once, each of which looks for what the other owns."""
    people = [(await stage.tenant()).key for _ in range(2)]
    listed = [
        {"name": f"firm {n}", "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for n, key in enumerate(people)
    ]
    (folder / "auth.json").write_text(json.dumps({"auth": listed}))
    return "--auth-wfc", "auth.json"


def peers(stage: Stage, folder: Path, *options: str) -> str:
    """What a run printed that asks without a credential, and as another firm, whatever it asked before."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{stage.url}/openapi.json", "--no-color",
        "--checks", "ignored_auth,object_level_authorization", "--continue-on-failure", *options,
    ]  # fmt: skip
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-15_000:] + run.stderr[-3_000:]
    return run.stdout


@pytest.mark.timeout(300)
async def test_a_firm_is_not_asked_for_another_ones_records(stage: Stage, tmp_path: Path) -> None:
    ids = ("clients.create", "clients.retrieve", "clients.list", "sites.create", "sites.retrieve", "jobs.create",
           "jobs.retrieve")  # fmt: skip
    limits = ("--max-examples", str(SHORT), "--phases", "fuzzing,stateful")
    printed = peers(stage, tmp_path, *await firms(stage, tmp_path), *only(ids), *limits)
    assert re.search(rf"Tested: {len(ids)}\n", printed), printed[-2000:]


@pytest.mark.timeout(120)
async def test_a_lie_is_found(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    document = httpx2.get(f"{stage.url}/openapi.json").json()
    del document["paths"]["/api/v1/clients"]["get"]["responses"]["400"]
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    limits = ("--url", stage.url, "--phases", "coverage")
    with pytest.raises(AssertionError, match="Undocumented status code"):
        fuzz("", tenant.key, tmp_path, *only(["clients.list"]), *limits)


def only(ids: Iterable[str]) -> list[str]:
    """The options that narrow a run to operations."""
    return [option for id in ids for option in ("--include-operation-id", id)]
