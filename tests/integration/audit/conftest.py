"""What tests of the audit log share: an installation that seals nothing by itself, and the report on a chain."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crosstie.access import tenant as tenants
from crosstie.app import opened
from tests.integration.audit.desk import Desk
from tests.integration.audit.reading import verified
from tests.stage import Stage, Tenant


@pytest.fixture
def report(stage: Stage, tenant: Tenant) -> Callable[[], Awaitable[dict[str, Any]]]:
    """The report on the test's tenant."""
    return lambda: verified(stage, tenant.id)


@pytest.fixture
def quiet() -> Iterator[Stage]:
    """An installation that nobody serves: what is sealed there is sealed by the test's own processes."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-audit-"))
    found = Stage(home)
    try:
        yield found
    finally:
        found.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def desk(quiet: Stage) -> AsyncIterator[Desk]:
    async with opened(quiet.settings, quiet.dsns, work=False, name="test") as process:
        id = await tenants.make(process.log.app, process.vault, slug="waits", name="Waits")
        superuser = await quiet.superuser()
        found = Desk(quiet, process, Tenant(id, "waits", "", ""), superuser)
        assert (await found.sealed())["ok"]
        yield found
        await superuser.close()
