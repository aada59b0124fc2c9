"""What every suite shares."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.receiver import Receiver
    from tests.stage import Stage, Tenant


# Where the tests run in the background of a shell they ignore Ctrl-C, and so would the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


CI = os.environ.get("CI", "").lower() == "true"


def pytest_configure(config: pytest.Config) -> None:
    """The processes of a run share a mould of installations (tests/mould.py) …"""
    if not hasattr(config, "workerinput"):
        os.environ["TESTS_MOULD"] = tempfile.mkdtemp(prefix="crosstie-mould-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """… which goes with the run."""
    if not hasattr(config, "workerinput"):
        from crosstie.db.embedded import Embedded  # noqa: PLC0415  # as below

        place = Path(os.environ.pop("TESTS_MOULD"))
        Embedded(place).remove()
        shutil.rmtree(place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that nobody ran proves nothing: with CI=true a skip is a failure."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped, and CI=true forbids it: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """One installation for the whole run; each test brings its own tenant."""
    from tests.stage import staged  # noqa: PLC0415  # unit tests must not need the whole product

    with staged() as found:
        yield found


@pytest.fixture
async def tenant(stage: Stage) -> AsyncIterator[Tenant]:
    """A tenant of one test; afterwards nobody looks at it any more."""
    found = await stage.tenant()
    yield found
    await stage.suspend(found)


@pytest.fixture
async def client(tenant: Tenant) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of that tenant, with a key that may do everything."""
    async with tenant.client() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver."""
    from tests.receiver import receiving  # noqa: PLC0415  # as above

    with receiving() as found:
        yield found
