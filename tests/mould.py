"""A cluster with this version's schema, made once for a whole run: every installation of a test begins as its copy.

What a start and all migrations do is proved by tests of their own, which begin with nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from pathlib import Path

import msgspec

from crosstie.app import functions
from crosstie.catalog import catalogue
from crosstie.db.embedded import Embedded, state
from crosstie.db.embedded.server import STORE
from crosstie.db.migrate import migrate
from crosstie.db.policies import Roles

#: the folder of the run's mould
PLACE = "TESTS_MOULD"


def cast(home: Path) -> Embedded:
    """The cluster of `home`, a copy: its own data and port, with the mould's passwords."""
    mould = Path(os.environ[PLACE])
    kept = _made(mould)
    folder = str(STORE / home.name) if os.geteuid() == 0 else "postgres"
    data = home / folder
    subprocess.run(["cp", "-a", "--reflink=auto", mould / kept.folder, data], check=True)
    state.write(home, msgspec.structs.replace(kept, folder=folder, port=state.free_port()))
    return Embedded(home)


def _made(mould: Path) -> state.State:
    """What is kept of the mould, which the first who comes makes."""
    with (mould / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (mould / "whole").exists():
            server = Embedded(mould)
            asyncio.run(migrate(server.start().owner, catalogue().tables, functions(), Roles()))
            server.stop()
            (mould / "whole").touch()
    kept = state.read(mould)
    assert kept is not None
    return kept
