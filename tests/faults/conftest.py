"""The rig of the fault runs: one cluster for all of them, processes and tenants per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.rig import Note, Rig, rigged
from tests.faults.wire import Wire, wired


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured stands below what was passed."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, figure in report.user_properties:
                    terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]} {name}: {figure}")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Keeps a figure of a test for the summary."""
    return lambda name, figure: request.node.user_properties.append((name, str(figure)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Rig]:
    """An installation of its own."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-faults-"))
    with rigged(home) as found:
        yield found
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def rig(cluster: Rig) -> AsyncIterator[Rig]:
    """The rig without any process."""
    await cluster.clear()
    yield cluster
    cluster.close()


@pytest.fixture
async def served(cluster: Rig) -> Rig:
    """The rig with API and worker in one process, which the next test may find still running."""
    if list(cluster.children) != ["both"] or cluster.children["both"].handle.poll() is not None:
        await cluster.clear()
        cluster.start("both", "both")
        await cluster.ready()
    return cluster


@pytest.fixture(params=["nats", "rabbit"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A broker that may be hurt, and a party on it."""
    with wired(request.param) as found:
        yield found
