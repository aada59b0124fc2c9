"""Inside one process, as a supervisor uses it."""

import time
from pathlib import Path

from crosstie.db.embedded.server import Embedded
from tests.integration.embedded.home import ME, ask, kill, make


def test_a_supervisor_sees_its_server_die_and_starts_it_again(folder: Path) -> None:
    home = make(folder, ME)
    embedded = Embedded(home.path)
    try:
        assert not embedded.running()
        dsns = embedded.start()
        assert embedded.running()
        assert embedded.started
        kill(home.pid)
        end_by = time.monotonic() + 60
        while embedded.running() and time.monotonic() < end_by:
            time.sleep(0.01)
        assert not embedded.running()
        assert embedded.start() == dsns
        assert (embedded.binaries() / "pg_dump").exists()
        for _ in range(5):
            kill(home.pid)  # it still looks alive for a moment
            assert embedded.start() == dsns
            assert ask(dsns.app, "SELECT 1")
        embedded.stop()
        assert not embedded.running()
        data = home.data
        embedded.remove()
        assert not data.parent.exists()
        assert not embedded.running()
    finally:
        embedded.remove()
